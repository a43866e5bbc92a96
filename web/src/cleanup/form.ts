/** The form that asks for a plan. Pure. */

import type { NewPlan } from "./documents.ts";

/** What somebody typed. */
export interface PlanForm {
  type: string;
  everything: boolean;
  dataset: string;
  run: string;
  spacing: string;
  layout: string;
  author: string;
}

export const EMPTY_FORM: PlanForm = { type: "annotation", everything: false, dataset: "", run: "", spacing: "", layout: "", author: "" };

const NUMBERS = [
  ["dataset", "dataset_id", "dataset"],
  ["run", "run_id", "run"],
  ["spacing", "voxel_spacing_id", "voxel spacing"],
] as const;

/** The plan that a form asks for, or in words what is wrong with it. */
export function planOf(form: PlanForm): NewPlan | string {
  const author = form.author.trim();
  const plan: NewPlan = { type: form.type, ...(author ? { author } : {}) };
  if (form.everything) return { ...plan, everything: true };
  for (const [field, name, words] of NUMBERS) {
    const typed = form[field].trim();
    if (typed === "") continue;
    if (!/^[1-9]\d{0,14}$/.test(typed)) return `The ${words} is a public number, such as 14.`;
    plan[name] = Number(typed);
  }
  const layout = form.layout.trim();
  if (layout) plan.layout = layout;
  const narrow = layout !== "" || NUMBERS.some(([, name]) => plan[name] !== undefined);
  return narrow ? plan : "Say where to look, or choose the whole catalog.";
}
