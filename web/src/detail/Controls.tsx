import type { ImageStack } from "../api.ts";
import { length, seconds } from "../format.ts";
import { Icon } from "../parts/Icon.tsx";
import { ChannelToggles } from "./ChannelToggles.tsx";
import { hasSlices, moveT, moveZ, toggleProjection, type View } from "./view.ts";

interface ControlsProps {
  image: ImageStack;
  view: View;
  onView: (view: View) => void;
  onHelp: () => void;
}

/** Slice, time and channels. An axis of length one has no control. */
export function Controls({ image, view, onView, onHelp }: ControlsProps) {
  const { metadata } = image;
  const increment = metadata.time_increment_s;
  const depth = image.pixel_size_z;
  return (
    <div className="controls">
      {hasSlices(metadata) && (
        <div className="axis">
          <AxisSlider
            name="z"
            label="Slice (z)"
            size={metadata.size_z}
            value={view.z}
            note={depth === null ? null : length(view.z * depth || 0)}
            muted={view.projection}
            onValue={(z) => onView(moveZ(metadata, view, z))}
          />
          <button
            type="button"
            className="toggle"
            aria-pressed={view.projection}
            aria-keyshortcuts="m"
            onClick={() => onView(toggleProjection(metadata, view))}
          >
            Max projection
          </button>
        </div>
      )}
      {metadata.size_t > 1 && (
        <div className="axis">
          <AxisSlider
            name="t"
            label="Time point (t)"
            size={metadata.size_t}
            value={view.t}
            note={increment === null ? null : seconds(view.t * increment)}
            onValue={(t) => onView(moveT(metadata, view, t))}
          />
        </div>
      )}
      <div className="controls-row">
        {metadata.samples === 1 ? (
          <ChannelToggles channels={metadata.channels} view={view} onView={onView} />
        ) : (
          <span className="quiet">Colour image (RGB)</span>
        )}
        <button type="button" className="icon-button" aria-label="Keyboard shortcuts" aria-keyshortcuts="?" title="Keyboard shortcuts (?)" onClick={onHelp}>
          <Icon name="help" />
        </button>
      </div>
    </div>
  );
}

interface AxisSliderProps {
  name: string;
  label: string;
  size: number;
  value: number;
  /** Where that is, in micrometres or seconds. */
  note: string | null;
  muted?: boolean;
  onValue: (value: number) => void;
}

/** Counts from one, as microscope software does; the address and the API count from zero. */
function AxisSlider({ name, label, size, value, note, muted = false, onValue }: AxisSliderProps) {
  const place = `${value + 1} / ${size}`;
  return (
    <label className={muted ? "slider slider-muted" : "slider"}>
      <span className="slider-name" aria-hidden="true">
        {name}
      </span>
      <input
        type="range"
        min={0}
        max={size - 1}
        value={value}
        aria-label={label}
        aria-valuetext={muted ? `maximum projection over all ${size}` : [place, note].filter(Boolean).join(", ")}
        onChange={(event) => onValue(event.target.valueAsNumber)}
      />
      <output>
        {muted ? "all" : place}
        {note !== null && !muted && <span className="quiet"> · {note}</span>}
      </output>
    </label>
  );
}
