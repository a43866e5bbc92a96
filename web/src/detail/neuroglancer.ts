import type { Summary } from "../api.ts";

const TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "float32"];

/** Why Neuroglancer cannot show an image, or null where it can. */
export function noNeuroglancer({ dtype, missing_since }: Summary): string | null {
  if (missing_since !== null) return "The file is no longer where it was.";
  return TYPES.includes(dtype) ? null : `Neuroglancer shows no pixels of type ${dtype}.`;
}
