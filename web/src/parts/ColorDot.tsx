import type { Channel } from "../api.ts";

/** The colour a channel is drawn in. */
export function ColorDot({ channel }: { channel: Channel }) {
  return <span className="dot" style={{ backgroundColor: channel.display_color }} aria-hidden="true" />;
}
