import type { Channel } from "../api.ts";
import { ColorDot } from "./ColorDot.tsx";

const SHOWN = 4;

/** The channels of an image as colour and name; what does not fit is counted. */
export function ChannelChips({ channels }: { channels: Channel[] }) {
  const [only] = channels;
  // the one nameless channel of a plain grey image says nothing
  if (only && channels.length === 1 && only.color === null && only.name === "Channel 0") return null;
  const rest = channels.slice(SHOWN);
  return (
    <span className="chips">
      {channels.slice(0, SHOWN).map((channel) => (
        <span className="chip" key={channel.index}>
          <ColorDot channel={channel} />
          <span className="chip-name">{channel.name}</span>
        </span>
      ))}
      {rest.length > 0 && (
        <span className="chip" title={rest.map((channel) => channel.name).join(", ")}>
          +{rest.length}
        </span>
      )}
    </span>
  );
}
