import type { ImageStack } from "../api.ts";
import { Dialog } from "../parts/Dialog.tsx";

interface DeleteDialogProps {
  title: string;
  image: ImageStack;
  onCancel: () => void;
  onConfirm: () => void;
}

export function DeleteDialog({ title, image, onCancel, onConfirm }: DeleteDialogProps) {
  const added = image.metadata.origin === "added";
  return (
    <Dialog title="Delete this image?" onClose={onCancel}>
      <p>
        <strong className="breakable">{title}</strong> leaves the library at once. You can undo it.
      </p>
      <p className="quiet">
        {added
          ? "The file itself stays where it is, untouched."
          : "The uploaded file is kept until deleted images are purged."}
      </p>
      <div className="dialog-buttons">
        <button type="button" className="button" onClick={onCancel}>
          Cancel
        </button>
        <button type="button" className="button button-danger" onClick={onConfirm}>
          Delete
        </button>
      </div>
    </Dialog>
  );
}
