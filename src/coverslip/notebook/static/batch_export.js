// The page of coverslip.notebook.BatchExport. What is filled in is the trait "form"; commands are messages.

const MODES = [["fov", "Full FOV"], ["cells", "Single cells"], ["rois", "ROIs"]];
const FORMATS = ["png", "jpeg", "webp", "tiff", "ome-tiff", "ome-zarr", "pdf", "svg"];
const CORNERS = ["lower right", "lower left", "upper right", "upper left"];
const BUSY = new Set(["planning", "running", "cancelling"]);
const STATES = {
  idle: "Not started", planning: "Planning", running: "Running", cancelling: "Cancelling", cancelled: "Cancelled",
  completed: "Completed", failed: "Failed", partial: "Partly done", paused: "Paused", pending: "Waiting",
};

function render({ model, el }) {
  const root = h("div", { class: "coverslip cs-export" });
  const undo = [followTheme(root)];
  keepKeys(root);
  const hear = (name, call) => {
    model.on(name, call);
    undo.push(() => model.off(name, call));
  };
  const form = () => model.get("form");
  const save = calmly(() => model.save_changes(), 60);
  let isEdited = false;
  const put = (values) => {
    isEdited = true;
    model.set("form", { ...form(), ...values });
    save();
  };
  const send = (message) => {
    save.stop();
    model.save_changes();
    model.send(isEdited ? { ...message, form: form() } : message); // a busy kernel gets the trait later than the command
    isEdited = false;
  };
  const on = (names, call) => {
    for (const name of names) hear(`change:${name}`, call);
    call();
  };

  // ---- fields that are bound to the form ----
  const bindings = [];
  const bind = (node, read, write) => {
    bindings.push(() => {
      if (node.getRootNode().activeElement === node && !/^(checkbox|radio|color)$/.test(node.type) && node.tagName !== "SELECT") return;
      write(node);
    });
    node.addEventListener(node.type === "color" || node.type === "range" || node.type === "text" ? "input" : "change", () => put(read(node)));
    return node;
  };
  const text = (name, given = {}) =>
    bind(h("input", { type: "text", spellcheck: "false", ...given }), (n) => ({ [name]: n.value }), (n) => (n.value = form()[name] ?? ""));
  const number = (name, given = {}) =>
    bind(h("input", { type: "number", class: "cs-number", ...given }), (n) => ({ [name]: n.value === "" ? null : Number(n.value) }), (n) => (n.value = form()[name] ?? ""));
  const tick = (name, label) =>
    h("label", { class: "cs-tick" }, bind(h("input", { type: "checkbox" }), (n) => ({ [name]: n.checked }), (n) => (n.checked = form()[name])), label);
  const choose = (name, entries, given = {}) =>
    bind(h("select", given, entries.map(([value, label]) => h("option", { value }, label))), (n) => ({ [name]: n.value }), (n) => (n.value = form()[name]));
  const row = (label, ...fields) => h("div", { class: "cs-row" }, h("span", { class: "cs-label" }, label), h("div", { class: "cs-fields" }, fields));
  const section = (title, open, ...children) => {
    const hint = h("span", { class: "cs-hint" });
    const node = h("details", { class: "cs-section", open }, h("summary", {}, title, hint), h("div", { class: "cs-body" }, children));
    node.hint = hint;
    return node;
  };

  // ---- what is exported ----
  const tabs = h("div", { class: "cs-tabs", role: "radiogroup", "aria-label": "What is exported" }, MODES.map(([mode, label]) =>
    h("button", { type: "button", role: "radio", "data-mode": mode, onclick: () => put({ mode }) }, label)));

  function picker(name, noun, entries, columns) {
    const filter = h("input", { type: "search", placeholder: `Find ${noun}`, "aria-label": `Find ${noun}`, class: "cs-find" });
    const count = h("span", { class: "cs-hint" });
    const list = h("div", { class: "cs-list", role: "group", "aria-label": noun });
    const chosen = () => form()[name];
    const set = (ids) => put({ [name]: ids.length === entries().length ? null : ids });
    const all = h("button", { type: "button", class: "cs-small", onclick: () => put({ [name]: null }) }, "All");
    const none = h("button", { type: "button", class: "cs-small", onclick: () => put({ [name]: [] }) }, "None");
    let made = "";
    const show = () => {
      const key = JSON.stringify([entries(), filter.value]);
      if (key !== made) {
        made = key;
        const words = filter.value.trim().toLowerCase();
        list.replaceChildren(...entries().filter((one) => JSON.stringify(one).toLowerCase().includes(words)).map((one) => {
          const box = h("input", { type: "checkbox", "data-id": one.id, onchange: () => {
            const now = new Set(chosen() ?? entries().map((other) => other.id));
            if (box.checked) now.add(one.id);
            else now.delete(one.id);
            set(entries().map((other) => other.id).filter((id) => now.has(id)));
          } });
          return h("div", { class: "cs-item" }, h("label", { class: "cs-tick" }, box, h("span", { class: "cs-name" }, one.name)), columns(one));
        }));
      }
      const now = chosen() === null || chosen() === undefined ? null : new Set(chosen());
      for (const box of list.querySelectorAll("input[data-id]")) box.checked = now === null || now.has(box.dataset.id);
      for (const bar of list.querySelectorAll("select[data-bar]")) bar.value = form().roi_bars?.[bar.dataset.bar] ?? "default";
      count.textContent = `${amount(now === null ? entries().length : now.size)} of ${amount(entries().length)}`;
    };
    filter.addEventListener("input", show);
    return { node: h("div", {}, h("div", { class: "cs-bar" }, filter, all, none, count), list), show };
  }

  const fovs = picker("fovs", "field of view", () => (model.get("facts").fovs ?? []).map((name) => ({ id: name, name })), () => null);
  const rois = picker("rois", "region", () => model.get("facts").rois ?? [], (one) => {
    const bar = h("select", { title: "Scale bar of this region", "data-bar": one.id, onchange: () => {
      const bars = { ...form().roi_bars };
      if (bar.value === "default") delete bars[one.id];
      else bars[one.id] = bar.value;
      put({ roi_bars: bars });
    } }, [["default", "bar: default"], ["with", "bar: with"], ["without", "bar: without"]].map(([value, label]) => h("option", { value }, label)));
    return [h("span", { class: "cs-quiet" }, [one.fov, one.marker_set, one.size ? `${one.size[0]} × ${one.size[1]}` : "", one.tags.join(", ")].filter(Boolean).join(" · ")), bar];
  });

  const matches = h("div", { class: "cs-matches", role: "status", "aria-live": "polite" });
  const columnNames = h("datalist", { id: `cs-columns-${Math.random().toString(36).slice(2)}` });
  const where = text("where", { placeholder: 'cluster == "immune" and area > 50', "aria-label": "Filter of cells", list: columnNames.id, class: "cs-wide cs-mono", "data-field": "where" });
  const maskName = text("mask", { "aria-label": "Mask of the cells" });
  const whatFov = h("div", { "data-for": "fov cells" }, fovs.node);
  const whatCells = h("div", { "data-for": "cells" },
    row("Filter", where, columnNames),
    row("Crop", choose("box", [["centroid", "around the centre"], ["mask", "box of the mask"]], { "aria-label": "Crop" }),
      number("size", { min: 1, step: "any", "aria-label": "Side of the crop" }), choose("unit", [["px", "px"], ["um", "µm"]], { "aria-label": "Unit" })),
    row("Padding", number("padding", { min: 0, step: "any", "aria-label": "Padding" }), tick("pad", "keep size at edges")),
    row("Mask", maskName, tick("isolate", "hide neighbours")),
    row("Table", text("table", { placeholder: "beside the data", class: "cs-wide", "aria-label": "Cell table" })));
  const whatRois = h("div", { "data-for": "rois" }, rois.node,
    row("Tags", text("tags", { placeholder: "immune & !dense", class: "cs-wide cs-mono", "aria-label": "Expression over tags" })),
    row("Settings", tick("own", "each in its own marker set and masks")),
    row("Grow", number("grow", { min: -100, max: 100, step: 1, "aria-label": "Pixels added on every side" }), h("span", { class: "cs-quiet" }, "px"),
      h("span", { class: "cs-quiet" }, "Size"), number("roi_size", { min: 1, step: 1, placeholder: "own", "aria-label": "Width and height for all" })));
  const what = section("What", true, whatFov, whatCells, whatRois, matches);

  // ---- channels ----
  const sets = h("select", { "aria-label": "Marker set", "data-field": "marker_set", onchange: () => send({ do: "markers", name: sets.value }) });
  const channels = h("div", { class: "cs-channels" });
  const addition = h("select", { "aria-label": "Add a channel", onchange: () => {
    if (addition.value) send({ do: "limits", channel: addition.value });
    addition.value = "";
  } });
  const change = (name, values) => put({ channels: form().channels.map((one) => (one.channel === name ? { ...one, ...values } : one)) });
  let shownChannels = "";
  const channelRows = new Map();
  const showChannels = () => {
    const looks = form().channels ?? [];
    const facts = model.get("facts");
    const key = JSON.stringify(looks.map((one) => one.channel));
    if (key !== shownChannels) {
      shownChannels = key;
      channelRows.clear();
      channels.replaceChildren(...looks.map(({ channel }) => {
        const color = h("input", { type: "color", "aria-label": `Colour of ${channel}`, oninput: () => change(channel, { color: color.value, lut: null }) });
        const slider = rangeSlider(channel, (low, high) => change(channel, { low, high }));
        channelRows.set(channel, { color, slider });
        return h("div", { class: "cs-channel", "data-channel": channel }, color, h("span", { class: "cs-name", title: channel }, channel), slider,
          h("button", { type: "button", class: "cs-small", title: `Usual contrast of ${channel}`, onclick: () => send({ do: "limits", channel }) }, "Auto"),
          h("button", { type: "button", class: "cs-small", title: `Leave ${channel} out`, "aria-label": `Leave ${channel} out`, onclick: () => put({ channels: form().channels.filter((one) => one.channel !== channel) }) }, "✕"));
      }));
    }
    for (const one of looks) {
      const { color, slider } = channelRows.get(one.channel);
      color.value = one.color;
      slider.show(one.low, one.high, model.get("ranges")[one.channel], one.color);
    }
    const names = Object.keys(facts.marker_sets ?? {});
    const listed = names.includes(form().marker_set) || !form().marker_set ? names : [form().marker_set, ...names];
    fill(sets, listed.map((name) => [name, name]), form().marker_set);
    const shown = new Set(looks.map((one) => one.channel));
    fill(addition, [["", "+ Add a channel"], ...(facts.channels ?? []).filter((name) => !shown.has(name)).map((name) => [name, name])], "");
    const saved = facts.marker_sets?.[form().marker_set]?.channels;
    edited.hidden = !saved || JSON.stringify(saved) === JSON.stringify(looks);
  };
  const edited = h("button", { type: "button", class: "cs-small", onclick: () => send({ do: "markers", name: form().marker_set }) }, "Undo edits");
  const markers = section("Channels", true, row("Marker set", sets, edited), channels, addition);

  // ---- look ----
  const masks = h("div", { class: "cs-masks" });
  let shownMasks = "";
  const showMasks = () => {
    const names = [...new Set([...(model.get("facts").masks ?? []), ...form().masks.map((one) => one.mask)])];
    if (JSON.stringify(names) !== shownMasks) {
      shownMasks = JSON.stringify(names);
      masks.replaceChildren(...names.map((mask) => {
        const set = (values) => {
          const others = form().masks.filter((one) => one.mask !== mask);
          const mine = form().masks.find((one) => one.mask === mask) ?? { mask, color: "#ffffff", alpha: 1, mode: "outline", thickness: 1 };
          put({ masks: values === null ? others : [...others, { ...mine, ...values }] });
        };
        const box = h("input", { type: "checkbox", "data-mask": mask, onchange: () => set(box.checked ? {} : null) });
        const color = h("input", { type: "color", "aria-label": `Colour of ${mask}`, oninput: () => set({ color: color.value }) });
        const mode = h("select", { "aria-label": `Outline or fill ${mask}`, onchange: () => set({ mode: mode.value, alpha: mode.value === "fill" ? 0.35 : 1 }) }, ["outline", "fill"].map((value) => h("option", { value }, value)));
        const thick = h("input", { type: "number", class: "cs-number", min: 1, max: 100, "aria-label": `Thickness of ${mask}`, onchange: () => set({ thickness: Number(thick.value) }) });
        bindings.push(() => {
          const mine = form().masks.find((one) => one.mask === mask);
          box.checked = mine !== undefined;
          color.value = mine?.color ?? "#ffffff";
          mode.value = mine?.mode ?? "outline";
          thick.value = mine?.thickness ?? 1;
          for (const node of [color, mode, thick]) node.disabled = mine === undefined;
        });
        return h("div", { class: "cs-bar" }, h("label", { class: "cs-tick" }, box, h("span", { class: "cs-name" }, mask)), color, mode, thick, h("span", { class: "cs-quiet" }, "px"));
      }));
      if (names.length === 0) masks.append(h("span", { class: "cs-quiet" }, "there are none"));
    }
  };
  const look = section("Look", true,
    row("Downsample", number("downsample", { min: 1, max: 1024, step: 1, "aria-label": "Downsample" }), choose("resampling", [["nearest", "nearest"], ["area", "average"]], { "aria-label": "Resampling" })),
    row("Resolution", number("dpi", { min: 1, max: 10000, step: "any", "aria-label": "Resolution in dpi" }), h("span", { class: "cs-quiet" }, "dpi"), tick("legend", "legend")),
    row("Masks", masks),
    row("Caption", text("caption", { placeholder: "none; such as {fov} · {marker_set}", class: "cs-wide", "aria-label": "Caption" })));

  // ---- scale bar ----
  const bar = (name, node, read, write) => bind(node, (n) => ({ bar: { ...form().bar, ...read(n) } }), (n) => write(n, form().bar));
  const barHere = bind(h("select", { "aria-label": "Scale bar of this export", "data-field": "bar" }, [["default", "as the default"], ["with", "with"], ["without", "without"]].map(([value, label]) => h("option", { value }, label))),
    (n) => ({ bars: { ...form().bars, [form().mode]: n.value } }), (n) => (n.value = form().bars?.[form().mode] ?? "default"));
  const barLength = h("input", { type: "number", class: "cs-number", min: 0, step: "any", "aria-label": "Length of the bar in µm" });
  const barKind = bar("kind", h("select", { "aria-label": "Length of the bar" }, [["auto", "fits each"], ["same", "same for all"], ["fixed", "fixed"]].map(([value, label]) => h("option", { value }, label))),
    (n) => ({ same_for_all: n.value === "same", length_um: n.value === "fixed" ? Number(barLength.value) || 10 : null }),
    (n, now) => (n.value = now.length_um ? "fixed" : now.same_for_all ? "same" : "auto"));
  bar("length", barLength, (n) => ({ length_um: Number(n.value) || null }), (n, now) => {
    n.value = now.length_um ?? "";
    n.disabled = !now.length_um;
  });
  const scaleBar = section("Scale bar", false,
    row("Default", h("label", { class: "cs-tick" }, bind(h("input", { type: "checkbox", "data-field": "bar_default" }), (n) => ({ bar_default: n.checked }), (n) => (n.checked = form().bar_default)), "exports have one")),
    row("This export", barHere),
    row("Length", barKind, barLength, h("span", { class: "cs-quiet" }, "µm")),
    row("Style", bar("corner", h("select", { "aria-label": "Corner" }, CORNERS.map((value) => h("option", { value }, value))), (n) => ({ corner: n.value }), (n, now) => (n.value = now.corner)),
      bar("color", h("input", { type: "color", "aria-label": "Colour of the bar" }), (n) => ({ color: n.value }), (n, now) => (n.value = now.color)),
      h("label", { class: "cs-tick" }, bar("label", h("input", { type: "checkbox" }), (n) => ({ label: n.checked }), (n, now) => (n.checked = now.label)), "label")));

  // ---- files ----
  const folder = text("folder", { placeholder: "Folder of the files", class: "cs-wide cs-mono", "aria-label": "Output folder", "data-field": "folder" });
  const browser = h("div", { class: "cs-browser", hidden: true });
  const browse = h("button", { type: "button", onclick: () => {
    if (!browser.hidden) browser.hidden = true;
    else send({ do: "browse", path: form().folder });
  } }, "Browse …");
  const showListing = (found) => {
    const go = (path) => send({ do: "browse", path });
    const join = (name) => (found.path.endsWith("/") ? found.path + name : `${found.path}/${name}`);
    const name = h("input", { type: "text", placeholder: "New folder", "aria-label": "Name of a new folder" });
    browser.hidden = false;
    browser.replaceChildren(
      h("div", { class: "cs-bar" }, h("span", { class: "cs-mono cs-path" }, found.path),
        h("button", { type: "button", class: "cs-small cs-primary", disabled: !found.can_write, onclick: () => { put({ folder: found.path }); browser.hidden = true; } }, "Use this folder")),
      h("div", { class: "cs-list" },
        found.parent ? h("button", { type: "button", class: "cs-folder", onclick: () => go(found.parent) }, "↑ ..") : null,
        found.names.map((one) => h("button", { type: "button", class: "cs-folder", onclick: () => go(join(one)) }, one)),
        found.more ? h("span", { class: "cs-quiet" }, `and ${amount(found.more)} more`) : null),
      h("div", { class: "cs-bar" }, name, h("button", { type: "button", class: "cs-small", onclick: () => name.value && send({ do: "make_folder", path: found.path, name: name.value }) }, "Make")));
  };
  const files = section("Files", true,
    row("Folder", folder, browse), browser,
    row("Format", choose("file_format", FORMATS.map((one) => [one, one.toUpperCase()]), { "aria-label": "Format", "data-field": "file_format" }),
      choose("existing", [["refuse", "refuse existing files"], ["skip", "keep existing files"], ["replace", "replace existing files"]], { "aria-label": "Existing files", "data-field": "existing" })),
    row("Names", text("name", { placeholder: "{fov}, {fov}_cell_{label}, {fov}_roi_{roi}", class: "cs-wide cs-mono", "aria-label": "Template of file names" })),
    row("Pages", tick("gallery", "all on the pages of one PDF"), number("rows", { min: 1, max: 100, "aria-label": "Rows of a page" }), h("span", { class: "cs-quiet" }, "×"), number("columns", { min: 1, max: 100, "aria-label": "Columns of a page" })),
    row("Effort", number("workers", { min: 1, max: 64, step: 1, "aria-label": "Items at a time" }), h("span", { class: "cs-quiet" }, "at a time, at most"),
      number("per_second", { min: 0, step: "any", placeholder: "∞", "aria-label": "Most items in a second", "data-field": "per_second" }), h("span", { class: "cs-quiet" }, "a second")));

  // ---- preview ----
  const image = h("img", { alt: "Preview", class: "cs-picture" });
  const frame = h("div", { class: "cs-frame" }, image);
  const caption = h("div", { class: "cs-quiet cs-caption" });
  const place = h("input", { type: "number", min: 1, class: "cs-number", "aria-label": "Item that is shown", onchange: () => show(Number(place.value) - 1) });
  const total = h("span", { class: "cs-quiet" });
  const show = (item) => {
    const count = model.get("preview").count || 1;
    send({ do: "preview", number: Math.min(Math.max(0, item), count - 1) });
  };
  const number_ = () => model.get("preview").number ?? 0;
  const preview = h("section", { class: "cs-card" }, h("div", { class: "cs-bar cs-head" }, h("h3", {}, "Preview"),
    h("button", { type: "button", class: "cs-small", "aria-label": "Previous item", onclick: () => show(number_() - 1) }, "‹"), place, total,
    h("button", { type: "button", class: "cs-small", "aria-label": "Next item", onclick: () => show(number_() + 1) }, "›")), frame, caption);
  let address = "";
  on(["preview", "picture"], () => {
    const now = model.get("preview");
    const bytes = model.get("picture");
    place.value = (now.number ?? 0) + 1;
    place.max = now.count ?? 1;
    total.textContent = `of ${amount(now.count ?? 0)}`;
    frame.classList.toggle("cs-empty", !now.type || Boolean(now.error));
    caption.classList.toggle("cs-bad", Boolean(now.error));
    URL.revokeObjectURL(address);
    address = now.type && bytes?.byteLength ? URL.createObjectURL(new Blob([bytes], { type: now.type })) : "";
    if (address) image.src = address;
    else image.removeAttribute("src");
    const bits = [now.path, now.width ? `${amount(now.width)} × ${amount(now.height)}` : "", now.scale_bar_um ? `bar ${now.scale_bar_um} µm` : "", now.reduced > 1 ? `shown at 1:${now.reduced}` : "", ...(now.notes ?? [])];
    caption.textContent = now.error ?? bits.filter(Boolean).join(" · ");
  });
  undo.push(() => URL.revokeObjectURL(address));

  // ---- dry run ----
  const planned = h("div", { class: "cs-planned" });
  on(["plan"], () => {
    const now = model.get("plan");
    planned.replaceChildren();
    if (now.error) planned.append(h("p", { class: "cs-bad" }, now.error));
    if (now.count === undefined) return;
    const problems = [...now.problems];
    if (now.failing) problems.unshift(`${many(now.failing, "item")} cannot be made`);
    if (now.collisions) problems.unshift(`${many(now.collisions, "file")} there already`);
    planned.append(h("p", { class: problems.length ? "cs-warn" : "cs-good" }, `${many(now.count, "file")}, about ${sizeText(now.size)}; ${sizeText(now.free)} free. ${problems.join("; ")}`),
      h("table", {}, h("tbody", {}, now.files.map((one) => h("tr", { class: one.problem ? "cs-bad" : one.exists ? "cs-warn" : "" },
        h("td", { class: "cs-mono" }, one.path), h("td", {}, one.problem ?? `${one.width} × ${one.height}`), h("td", {}, one.problem ? "" : sizeText(one.size)), h("td", {}, one.exists ? "is there" : ""))))));
  });

  // ---- running ----
  const start = h("button", { type: "button", class: "cs-primary", "data-do": "start", onclick: () => { say(""); send({ do: "start" }); } }, "Start");
  const cancel = h("button", { type: "button", "data-do": "cancel", onclick: () => send({ do: "cancel" }) }, "Cancel");
  const dry = h("button", { type: "button", "data-do": "dry_run", onclick: () => { say(""); send({ do: "dry_run" }); } }, "Dry run");
  const progress = h("progress", { max: 1, value: 0, "aria-label": "Progress" });
  const state = h("div", { class: "cs-state", role: "status", "aria-live": "polite" });
  const badge = h("span", { class: "cs-badge" });
  const message = h("div", { class: "cs-bad cs-message", role: "alert" });
  const say = (words) => (message.textContent = words);
  const link = h("div", { class: "cs-link" });
  const kept = h("div", { class: "cs-kept" });
  const lines = h("div", { class: "cs-log", role: "log", "aria-label": "Log", tabindex: "0" });
  on(["status", "check"], () => {
    const now = model.get("status");
    const check = model.get("check");
    const done = now.succeeded + now.failed;
    const isBusy = BUSY.has(now.state);
    badge.textContent = STATES[now.state] ?? now.state;
    badge.dataset.state = now.state;
    start.disabled = isBusy || Boolean(check.problem) || check.count === undefined;
    cancel.disabled = !isBusy || now.state === "cancelling";
    progress.hidden = now.state === "idle";
    if (now.state === "planning") progress.removeAttribute("value");
    else progress.value = now.total ? done / now.total : 0;
    root.dataset.state = now.state;
    const failed = now.failed ? `, ${amount(now.failed)} failed` : "";
    const pace = now.seconds && done ? ` · ${now.seconds.toFixed(1)} s` : "";
    state.textContent = now.total ? `${amount(now.succeeded)} of ${many(now.total, "file")}${failed}${pace}` : "";
    say(now.message && now.state !== "cancelled" ? now.message : "");
    link.replaceChildren();
    if (now.folder) link.append(...folderLink(now, model.get("facts").home));
  });
  on(["lines"], () => {
    const atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
    lines.replaceChildren(...model.get("lines").map((one) => h("div", { class: one.ok ? "cs-line" : "cs-line cs-bad", "data-path": one.path, "data-ok": String(one.ok) },
      h("span", { "aria-hidden": "true" }, one.ok ? "✓" : "✗"), h("span", { class: "cs-mono" }, one.ok ? one.path : one.item), h("span", { class: "cs-quiet" }, one.text))));
    lines.hidden = model.get("lines").length === 0;
    if (atEnd) lines.scrollTop = lines.scrollHeight;
  });
  on(["unfinished", "status"], () => {
    const isBusy = BUSY.has(model.get("status").state);
    kept.replaceChildren(...(isBusy ? [] : model.get("unfinished").slice(0, 3)).map((one) => {
      const left = one.total - one.succeeded - one.failed;
      const words = one.state === "running" || one.state === "cancelling" ? "running elsewhere, or its process was killed a moment ago" : left ? `${amount(left)} of ${many(one.total, "item")} still to make` : `${many(one.failed, "item")} failed`;
      return h("div", { class: "cs-bar cs-note" }, h("span", {}, `An export of ${new Date(one.created_at).toLocaleString("en-GB")} in this folder: ${words}.`),
        h("button", { type: "button", class: "cs-small", "data-do": "resume", onclick: () => send({ do: "resume", id: one.id, retry_failed: !left }) }, left ? "Go on with it" : "Try them again"));
    }));
  });
  const running = h("section", { class: "cs-card" }, h("div", { class: "cs-bar cs-head" }, h("h3", {}, "Export"), badge),
    h("div", { class: "cs-bar" }, start, cancel, dry), message, progress, state, link, kept, planned, lines);

  // ---- all of it ----
  const summary = h("span", { class: "cs-quiet" });
  const notes = h("div", { class: "cs-notes" });
  root.append(
    h("div", { class: "cs-top" }, h("h2", {}, "Batch export"), summary, h("button", { type: "button", class: "cs-small", title: "Look again at the folder", onclick: () => send({ do: "reload" }) }, "Reload")),
    notes, tabs, h("div", { class: "cs-grid" }, h("div", { class: "cs-controls" }, what, markers, look, scaleBar, files), h("div", { class: "cs-side" }, preview, running)));

  on(["facts"], () => {
    const facts = model.get("facts");
    const um = facts.pixel_um ? ` · ${Number(facts.pixel_um.toPrecision(4))} µm a pixel` : "";
    summary.textContent = facts.error ? "" : facts.fovs ? `${many(facts.fov_count, "field of view", "fields of view")}${facts.size ? ` · ${facts.size[0]} × ${facts.size[1]}` : ""}${um}` : "Looking …";
    columnNames.replaceChildren(...(facts.table_columns ?? []).map((value) => h("option", { value })));
    notes.replaceChildren(...[facts.error, ...(facts.notes ?? [])].filter(Boolean).map((words) => h("p", { class: "cs-warn" }, words)));
  });
  on(["form", "facts", "ranges"], () => {
    const mode = form().mode;
    for (const tab of tabs.children) tab.setAttribute("aria-checked", String(tab.dataset.mode === mode));
    for (const part of what.querySelectorAll("[data-for]")) part.hidden = !part.dataset.for.split(" ").includes(mode);
    fovs.show();
    rois.show();
    showMasks();
    showChannels();
    for (const update of bindings) update();
    scaleBar.hint.textContent = barHere.value === "default" ? (form().bar_default ? "with" : "without") : barHere.value;
    markers.hint.textContent = form().marker_set;
    files.hint.textContent = form().gallery ? "PDF pages" : form().file_format;
  });
  on(["check", "form"], () => {
    const now = model.get("check");
    matches.classList.toggle("cs-bad", Boolean(now.problem));
    const noun = { fov: ["field of view", "fields of view"], cells: ["cell"], rois: ["region"] }[form().mode];
    const of = now.of !== null && now.of !== undefined ? ` of ${amount(now.of)}` : "";
    matches.textContent = now.problem && now.count !== 0 ? now.problem : now.count === undefined || now.count === null ? "" : `${many(now.count, ...noun)}${of}`;
  });
  hear("msg:custom", (said) => {
    if (said.is === "listing") showListing(said);
    if (said.is === "error") say(said.text);
  });
  el.append(root);
  model.send({ do: "preview", number: number_() });
  return () => undo.forEach((call) => call());
}

function fill(select, entries, value) {
  const key = JSON.stringify(entries);
  if (select.dataset.entries !== key) {
    select.dataset.entries = key;
    select.replaceChildren(...entries.map(([name, label]) => h("option", { value: name }, label)));
  }
  select.value = value;
}

/** A link into the file browser where the folder lies below the server's root; a path to copy elsewhere. */
function folderLink(status, home) {
  const copy = h("button", { type: "button", class: "cs-small", onclick: () => navigator.clipboard?.writeText(status.folder) }, "Copy path");
  const path = h("span", { class: "cs-mono cs-path" }, status.folder);
  const manifest = status.manifest ? h("span", { class: "cs-quiet" }, `with ${status.manifest}`) : null;
  let config = {};
  try {
    config = JSON.parse(document.getElementById("jupyter-config-data")?.textContent ?? "{}");
  } catch {
    // another notebook: the path is shown
  }
  const top = (config.serverRoot ?? "").replace(/^~/, home ?? "~").replace(/\/+$/, "");
  if (!top || !`${status.folder}/`.startsWith(`${top}/`)) return [path, copy, manifest].filter(Boolean);
  const below = status.folder.slice(top.length).split("/").filter(Boolean).map(encodeURIComponent).join("/");
  const href = `${(config.baseUrl ?? "/").replace(/\/$/, "")}/lab/tree/${below}`;
  return [h("a", { href, target: "_blank", rel: "noopener", class: "cs-mono cs-path" }, status.folder), copy, manifest].filter(Boolean);
}

export default { render };
