import type { ImageStack } from "../api.ts";
import { imageRoute, navigate } from "../router.tsx";

export interface Neighbours {
  previous: ImageStack | null;
  next: ImageStack | null;
}

/** The images before and after one, in the order of the library under the present search. */
export function neighbours(images: readonly ImageStack[], id: string): Neighbours {
  const at = images.findIndex((image) => image.id === id);
  if (at < 0) return { previous: null, next: null };
  return { previous: images[at - 1] ?? null, next: images[at + 1] ?? null };
}

export function goTo(image: ImageStack | null): void {
  if (image) navigate(imageRoute(image.id), { replace: true });
}
