import { type Api, asProblem, type ImageStack } from "./api.ts";
import { titles } from "./format.ts";
import type { Library } from "./library/library.ts";
import { imageRoute, navigate } from "./router.tsx";
import type { Toasts } from "./toasts.ts";

/** Returns the way to delete an image with a chance to undo it. */
export function makeRemove(api: Api, library: Library, toasts: Toasts): (image: ImageStack) => Promise<boolean> {
  const fail = (what: string, error: unknown): void => {
    const { title, detail } = asProblem(error);
    toasts.show(`${what}: ${detail || title}`, { tone: "error" });
  };
  const undo = async (image: ImageStack): Promise<void> => {
    try {
      await api.restore(image.id);
      library.reload();
      const action = { label: "Show", run: () => navigate(imageRoute(image.id)) };
      toasts.show(`Restored ${titles(image).title}`, { action });
    } catch (error) {
      fail("Could not be restored", error);
    }
  };
  return async (image) => {
    try {
      await api.remove(image.id);
    } catch (error) {
      fail("Could not be deleted", error);
      return false;
    }
    library.forget(image.id);
    toasts.show(`Deleted ${titles(image).title}`, { action: { label: "Undo", run: () => void undo(image) } });
    return true;
  };
}
