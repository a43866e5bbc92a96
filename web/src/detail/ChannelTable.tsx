import type { Channel } from "../api.ts";
import { seconds, significant } from "../format.ts";
import { ColorDot } from "../parts/ColorDot.tsx";

type Column = readonly [title: string, read: (channel: Channel) => string | null];

const COLUMNS: readonly Column[] = [
  ["Dye", ({ dye, name }) => (dye && dye !== name ? dye : null)],
  ["Ex. / Em.", wavelengths],
  ["Exposure", ({ exposure_time_s: time }) => (time ? seconds(time) : null)],
  ["Gain", ({ gain }) => (gain === null || gain === undefined ? null : significant(gain))],
  ["Contrast", (channel) => channel.contrast_method ?? null],
];

function wavelengths({ excitation_wavelength_nm: excitation, emission_wavelength_nm: emission }: Channel): string | null {
  if (!excitation && !emission) return null;
  const [from, to] = [excitation, emission].map((nm) => (nm ? String(Math.round(nm)) : "–"));
  return `${from} / ${to} nm`;
}

/** One row per channel; a column that no channel fills is left out. */
export function ChannelTable({ channels }: { channels: Channel[] }) {
  if (channels.length === 0) return null;
  const columns = COLUMNS.filter(([, read]) => channels.some((channel) => read(channel) !== null));
  return (
    <section className="section">
      <h2>Channels</h2>
      <div className="table-frame">
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              {columns.map(([title]) => (
                <th scope="col" key={title}>
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {channels.map((channel) => (
              <tr key={channel.index}>
                <th scope="row">
                  <ColorDot channel={channel} />
                  {channel.name}
                </th>
                {columns.map(([title, read]) => (
                  <td key={title}>{read(channel) ?? "–"}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
