/** What of an image is being looked at. Pure: the component holds one, the address bar spells it. */

import type { PictureChoice, Summary } from "../api.ts";

export interface View {
  t: number;
  z: number;
  /** Maximum over all of z instead of the slice `z`. */
  projection: boolean;
  /** One entry per channel. */
  visible: readonly boolean[];
}

const middle = (size: number): number => Math.floor(size / 2);
const within = (value: number, size: number): number => Math.min(Math.max(value, 0), size - 1);

/** Whether z can be chosen: a picture of x by z (one row high) shows all of z already. */
export const hasSlices = (image: Summary): boolean => image.size_z > 1 && image.size_y > 1;

/** The view an address asks for; what it does not say is as in the thumbnail. */
export function parseView(image: Summary, search: string): View {
  const query = new URLSearchParams(search);
  const number = (key: string, size: number): number | null => {
    const value = query.get(key);
    return value !== null && /^\d+$/.test(value) ? within(Number(value), size) : null;
  };
  const z = hasSlices(image) && query.get("z") !== "max" ? (number("z", image.size_z) ?? image.default_z) : null;
  const shown = query.get("channels")?.split(",").map(Number);
  const visible = image.channels.map((_, index) => shown === undefined || shown.includes(index));
  return {
    t: number("t", image.size_t) ?? middle(image.size_t),
    z: z ?? middle(image.size_z),
    projection: z === null && hasSlices(image),
    visible: visible.some(Boolean) ? visible : visible.map(() => true),
  };
}

/** The address part of a view; empty for the view everybody starts with. */
export function spellView(image: Summary, view: View): string {
  const choice = choose(image, view);
  const query = new URLSearchParams();
  if (view.t !== middle(image.size_t)) query.set("t", String(view.t));
  if (choice.z !== null && choice.z !== (image.default_z ?? "max")) query.set("z", String(choice.z));
  if (choice.channels !== null) query.set("channels", choice.channels.join(","));
  const text = query.toString().replaceAll("%2C", ",");
  return text && `?${text}`;
}

/** What to ask the server for. */
export function choose(image: Summary, view: View): PictureChoice {
  const channels = view.visible.flatMap((on, index) => (on ? [index] : []));
  return {
    t: view.t,
    z: hasSlices(image) ? (view.projection ? "max" : view.z) : null,
    channels: channels.length === view.visible.length ? null : channels,
  };
}

export const moveZ = (image: Summary, view: View, z: number): View =>
  hasSlices(image) ? { ...view, z: within(z, image.size_z), projection: false } : view;

export const moveT = (image: Summary, view: View, t: number): View => ({ ...view, t: within(t, image.size_t) });

export const toggleProjection = (image: Summary, view: View): View =>
  hasSlices(image) ? { ...view, projection: !view.projection } : view;

/** Turns one channel on or off; the last one stays on, because a picture of nothing tells nothing. */
export function toggleChannel(view: View, index: number): View {
  const visible = view.visible.map((on, at) => (at === index ? !on : on));
  return visible.some(Boolean) ? { ...view, visible } : view;
}

export const showOnly = (view: View, index: number): View => ({
  ...view,
  visible: view.visible.map((_, at) => at === index),
});

export const showAll = (view: View): View => ({ ...view, visible: view.visible.map(() => true) });

/** The side of the square a picture is asked to fit, from few steps so that a resize does not redraw all the time. */
export function pixelsFor(stage: { width: number; height: number }, image: Summary, density: number): number {
  const [width, height] = extent(image);
  const scale = Math.min(stage.width / width, stage.height / height);
  const wanted = Math.max(width, height) * scale * Math.min(density, 2);
  return [256, 512, 768, 1024, 1536].find((step) => step >= wanted) ?? 2048;
}

/** Width and height of the picture in pixels of the image: x by y, or x by z for a vertical section. */
export const extent = (image: Summary): [number, number] =>
  image.size_y === 1 && image.size_z > 1 ? [image.size_x, image.size_z] : [image.size_x, image.size_y];
