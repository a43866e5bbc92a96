/** The documents of cleanups as the HTTP API gives them. */

export interface Scope {
  type: string;
  dataset_id: number | null;
  run_id: number | null;
  voxel_spacing_id: number | null;
  layout: string;
  entity_ids: number[];
  everything: boolean;
}

/** What a plan is asked for; what is not given does not narrow it. */
export interface NewPlan {
  type: string;
  dataset_id?: number;
  run_id?: number;
  voxel_spacing_id?: number;
  layout?: string;
  everything?: boolean;
  author?: string;
}

/** What rows lie in. Names are empty and numbers 0 where there is none; `number` is of the voxel spacing or run. */
export interface Group {
  dataset: string;
  run: string;
  spacing: string;
  number: number;
  dataset_id: number;
  run_id: number;
  layout: string;
  type: string;
}

export interface PlanHead {
  id: string;
  scope: Scope;
  state: "open" | "applied" | "undone" | "purged";
  actor: string;
  command: string;
  counts: { [name: string]: number };
  created_at: string;
  applied_at: string | null;
  undone_at: string | null;
}

export interface BrakeStop {
  group: Group;
  reason: "empty" | "failed" | "many";
  removed: number;
  rows: number;
}

export interface RowTotals {
  rows: number;
  duplicates: number;
  shapes: number;
  files: number;
  authors: number;
  links: number;
  bytes: number;
}

export interface GroupTotals {
  index: number;
  group: Group;
  totals: RowTotals;
  is_stopped: boolean;
}

/** What a plan comes to, and a page of its groups; `total` counts the groups. */
export interface PlanReport {
  plan: PlanHead;
  totals: RowTotals;
  going: number;
  complete: number;
  stops: BrakeStop[];
  total: number;
  groups: GroupTotals[];
}

export interface Removal {
  type: string;
  id: number;
  identity: string;
  layout: string;
  key: string;
  reason: "absent" | "duplicate" | "unnamed";
  shapes: number;
  files: number;
  authors: number;
  links: number;
  bytes: number;
  dependents: string[];
  merged_into: number | null;
  /** Of an image: its identifier; the number says nothing then. */
  image_id?: string;
  /** Some of what depends on it by name, and how many more there are. */
  depending?: { kind: string; id: string; name: string }[];
  more_depending?: number;
}

export interface Kept {
  type: string;
  id: number;
  identity: string;
  layout: string;
  key: string;
  why: string;
  image_id?: string;
}

export interface RowPage<T> {
  total: number;
  rows: T[];
}

export interface Applied {
  plan_id: string;
  removed: number[];
  restored: number[];
  stopped: BrakeStop[];
  removed_images?: string[];
  restored_images?: string[];
}

export interface AuditLine {
  seq: number;
  at: string;
  actor: string;
  action: string;
  plan_id: string;
  command: string;
  scope: string;
  reason: string;
  record: { type?: string; id?: number; identity?: string };
}

export interface AuditCheck {
  lines: number;
  problems: { seq: number; kind: "changed" | "missing" | "reordered"; words: string }[];
}

export interface Entity {
  id: number;
  type: string;
  name: string;
  identity: string;
  image_id: string | null;
  incomplete_since: string | null;
}

export interface EntityList {
  entities: Entity[];
  next_cursor: string | null;
}
