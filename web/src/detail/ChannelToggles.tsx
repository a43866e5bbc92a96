import type { Channel } from "../api.ts";
import { ColorDot } from "../parts/ColorDot.tsx";
import { showAll, showOnly, toggleChannel, type View } from "./view.ts";

interface ChannelTogglesProps {
  channels: Channel[];
  view: View;
  onView: (view: View) => void;
}

export function ChannelToggles({ channels, view, onView }: ChannelTogglesProps) {
  const shown = view.visible.filter(Boolean).length;
  return (
    <fieldset className="channels">
      <legend className="hidden-text">Channels</legend>
      {channels.map((channel, index) => {
        const on = view.visible[index] ?? false;
        return (
          <ChannelToggle
            key={channel.index}
            channel={channel}
            on={on}
            last={on && shown === 1}
            shortcut={channels.length > 1 && index < 9 ? index + 1 : null}
            onToggle={(alone) => onView(alone ? showOnly(view, index) : toggleChannel(view, index))}
          />
        );
      })}
      {shown < channels.length && (
        <button type="button" className="text-button" aria-keyshortcuts="a" onClick={() => onView(showAll(view))}>
          Show all
        </button>
      )}
    </fieldset>
  );
}

interface ChannelToggleProps {
  channel: Channel;
  on: boolean;
  /** The only visible one: it stays on. */
  last: boolean;
  shortcut: number | null;
  onToggle: (alone: boolean) => void;
}

function ChannelToggle({ channel, on, last, shortcut, onToggle }: ChannelToggleProps) {
  const hint = last ? "The last visible channel stays on" : "Shift-click: only this channel";
  return (
    <label className={on ? "channel channel-on" : "channel"} title={`${channel.name}. ${hint}`}>
      <input
        type="checkbox"
        checked={on}
        disabled={last}
        onChange={(event) => onToggle(event.nativeEvent instanceof MouseEvent && event.nativeEvent.shiftKey)}
      />
      <ColorDot channel={channel} />
      <span className="chip-name">{channel.name}</span>
      {shortcut !== null && <kbd aria-hidden="true">{shortcut}</kbd>}
    </label>
  );
}
