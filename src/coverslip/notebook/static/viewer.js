// The page of coverslip.notebook.Viewer. It asks for the tiles that it shows; what is shown is the trait "look".

const MOST_KEPT = 400;
const STEPS = [1, 2, 5];

function render({ model, el }) {
  const root = h("div", { class: "coverslip cs-viewer" });
  const undo = [followTheme(root)];
  keepKeys(root);
  const hear = (name, call) => {
    model.on(name, call);
    undo.push(() => model.off(name, call));
  };
  const facts = model.get("facts");
  const [width, height] = facts.size;
  const look = () => model.get("look");
  const save = calmly(() => model.save_changes(), 30);
  const id = Math.random().toString(36).slice(2); // several pages may show one image
  let isEdited = false;
  const put = (values) => {
    isEdited = true;
    model.set("look", { ...look(), ...values });
    save();
  };
  const send = (message) => {
    save.stop();
    model.save_changes();
    model.send(isEdited ? { ...message, look: look() } : message); // a busy kernel gets the trait later than the message
    isEdited = false;
  };

  // ---- the picture ----
  const canvas = h("canvas", { tabindex: "0", "aria-label": `${facts.name}: arrows move, + and - zoom, 0 shows everything` });
  const scale = h("div", { class: "cs-scale" });
  const where = h("div", { class: "cs-where" });
  const problem = h("div", { class: "cs-bad cs-message", role: "alert" });
  const stage = h("div", { class: "cs-stage" }, canvas, scale, where,
    h("div", { class: "cs-zoom" }, [["+", "Zoom in", 1.5], ["−", "Zoom out", 1 / 1.5]].map(([sign, title, factor]) => h("button", { type: "button", title, "aria-label": title, onclick: () => zoom(factor) }, sign)),
      h("button", { type: "button", title: "Show everything", "aria-label": "Show everything", onclick: () => { view = whole(); moved(); } }, "⤢")));
  const pen = canvas.getContext("2d");
  const tiles = new Map();
  let stamp = 1;
  let view = null;
  const box = () => [Math.max(1, stage.clientWidth), Math.max(1, stage.clientHeight)];
  const whole = () => {
    const [w, ht] = box();
    return { x: width / 2, y: height / 2, scale: Math.min(w / width, ht / height) };
  };
  const keep = calmly(() => {
    model.set("view", view);
    model.save_changes();
  }, 300);
  const moved = () => {
    const [w, ht] = box();
    view.scale = Math.min(32, Math.max(Math.min(w / width, ht / height) / 2, view.scale));
    view.x = Math.min(width, Math.max(0, view.x));
    view.y = Math.min(height, Math.max(0, view.y));
    keep();
    paint();
    ask();
  };
  const zoom = (factor, at = null) => {
    const [w, ht] = box();
    const [px, py] = at ?? [w / 2, ht / 2];
    const before = [view.x + (px - w / 2) / view.scale, view.y + (py - ht / 2) / view.scale];
    view = { ...view, scale: view.scale * factor };
    const [least, most] = [Math.min(w / width, ht / height) / 2, 32];
    view.scale = Math.min(most, Math.max(least, view.scale));
    view.x = before[0] - (px - w / 2) / view.scale;
    view.y = before[1] - (py - ht / 2) / view.scale;
    moved();
  };

  const level = () => Math.min(facts.zooms - 1, Math.max(0, Math.floor(Math.log2(1 / view.scale / (window.devicePixelRatio || 1)) + 0.35)));
  const inView = (k) => {
    const [w, ht] = box();
    const side = facts.side * 2 ** k;
    const span = (middle, length, most) => [Math.max(0, Math.floor((middle - length / 2 / view.scale) / side)), Math.min(Math.ceil(most / side) - 1, Math.floor((middle + length / 2 / view.scale) / side))];
    const [[x0, x1], [y0, y1]] = [span(view.x, w, width), span(view.y, ht, height)];
    const found = [];
    for (let y = y0; y <= y1; y++) for (let x = x0; x <= x1; x++) found.push([k, x, y]);
    const away = ([, x, y]) => Math.hypot((x + 0.5) * side - view.x, (y + 0.5) * side - view.y);
    return found.sort((a, b) => away(a) - away(b));
  };
  const name = (at) => at.join("/");
  const ask = calmly(() => {
    if (!view) return; // it is not on the page yet
    const wanted = inView(level()).filter((at) => tiles.get(name(at))?.stamp !== stamp);
    if (wanted.length) send({ do: "tiles", page: id, stamp, want: wanted });
    stage.dataset.waiting = String(wanted.length);
  }, 40);
  const paint = () => {
    if (!view) return;
    const ratio = window.devicePixelRatio || 1;
    const [w, ht] = box();
    if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(ht * ratio)) {
      canvas.width = Math.round(w * ratio);
      canvas.height = Math.round(ht * ratio);
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, w, ht);
    pen.imageSmoothingEnabled = view.scale < 2;
    const now = level();
    const drawn = [...tiles.values()].filter((tile) => tile.picture).sort((a, b) => (a.at[0] === now) - (b.at[0] === now) || b.at[0] - a.at[0]);
    for (const { at: [k, x, y], picture } of drawn) {
      const step = 2 ** k;
      const left = (x * facts.side * step - view.x) * view.scale + w / 2;
      const top = (y * facts.side * step - view.y) * view.scale + ht / 2;
      const right = left + picture.width * step * view.scale;
      const lower = top + picture.height * step * view.scale;
      if (right < 0 || lower < 0 || left > w || top > ht) continue;
      // whole pixels of the screen, so that no seam shows between tiles
      const snap = (value) => Math.round(value * ratio) / ratio;
      pen.drawImage(picture, snap(left), snap(top), snap(right) - snap(left), snap(lower) - snap(top));
    }
    showScale(w);
  };
  const showScale = (w) => {
    const um = facts.pixel_um[0];
    scale.hidden = !um;
    if (!um) return;
    const most = (0.2 * w * um) / view.scale;
    const power = 10 ** Math.floor(Math.log10(most));
    const length = Math.max(...STEPS.map((step) => step * power).filter((one) => one <= most * (1 + 1e-9)));
    const [value, unit] = length >= 1000 ? [length / 1000, "mm"] : length >= 1 ? [length, "µm"] : [length * 1000, "nm"];
    const line = h("span");
    line.style.width = `${(length / um) * view.scale}px`;
    scale.replaceChildren(`${Number(value.toPrecision(3))} ${unit}`, line);
  };
  hear("msg:custom", async (said, buffers) => {
    if (said.is === "error") problem.textContent = said.text;
    if (said.is !== "tile" || said.page !== id || said.stamp !== stamp) return;
    if (said.error) {
      problem.textContent = said.error;
      tiles.set(name(said.at), { at: said.at, stamp: said.stamp });
      return;
    }
    const picture = await createImageBitmap(new Blob([buffers[0]], { type: "image/webp" }));
    if (said.stamp !== stamp) return;
    tiles.delete(name(said.at));
    tiles.set(name(said.at), { at: said.at, stamp: said.stamp, picture });
    for (const old of tiles.keys()) {
      if (tiles.size <= MOST_KEPT) break;
      tiles.delete(old);
    }
    if (!view) return;
    stage.dataset.waiting = String(inView(level()).filter((at) => tiles.get(name(at))?.stamp !== stamp).length);
    paint();
  });

  const pointers = new Map();
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
  });
  canvas.addEventListener("pointermove", (event) => {
    const spot = canvas.getBoundingClientRect();
    const at = [event.clientX - spot.left, event.clientY - spot.top];
    const [w, ht] = box();
    const [x, y] = [view.x + (at[0] - w / 2) / view.scale, view.y + (at[1] - ht / 2) / view.scale];
    where.textContent = x >= 0 && y >= 0 && x < width && y < height ? `x ${Math.floor(x)}  y ${Math.floor(y)}` : "";
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    if (pointers.size === 2) {
      const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, spot_]) => spot_);
      const away = (one) => Math.max(1, Math.hypot(one[0] - other[0], one[1] - other[1]));
      zoom(away(now) / away(before), [(now[0] + other[0]) / 2 - spot.left, (now[1] + other[1]) / 2 - spot.top]);
    } else {
      view = { ...view, x: view.x - (now[0] - before[0]) / view.scale, y: view.y - (now[1] - before[1]) / view.scale };
      moved();
    }
    pointers.set(event.pointerId, now);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => pointers.delete(event.pointerId));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const spot = canvas.getBoundingClientRect();
    zoom(Math.exp(-Math.max(-80, Math.min(80, event.deltaY)) / 240), [event.clientX - spot.left, event.clientY - spot.top]);
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const step = 60 / view.scale;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (moves[event.key]) view = { ...view, x: view.x + moves[event.key][0], y: view.y + moves[event.key][1] };
    else if (event.key === "+" || event.key === "=") return zoom(1.5);
    else if (event.key === "-") return zoom(1 / 1.5);
    else if (event.key === "0") view = whole();
    else return;
    event.preventDefault();
    moved();
  });

  // ---- slices and time points ----
  const slider = (key, label, count) => {
    const range = h("input", { type: "range", min: 0, max: count - 1, step: 1, "aria-label": label, oninput: () => put({ [key]: Number(range.value) }) });
    const field = h("input", { type: "number", min: 0, max: count - 1, step: 1, class: "cs-number", "aria-label": `${label}, counted from 0`, onchange: () => put({ [key]: Math.min(count - 1, Math.max(0, Math.round(Number(field.value)) || 0)) }) });
    const node = h("div", { class: "cs-slider", hidden: count < 2 }, h("span", { class: "cs-quiet" }, key.toUpperCase()), range, field, h("span", { class: "cs-quiet" }, `of ${amount(count)}`));
    node.show = () => {
      range.value = look()[key];
      field.value = look()[key];
    };
    return node;
  };
  const sliders = [slider("z", "Slice", facts.size_z), slider("t", "Time point", facts.size_t)];

  // ---- channels and masks ----
  const change = (index, values) => put({ channels: look().channels.map((one) => (one.index === index ? { ...one, ...values } : one)) });
  const rows = look().channels.map(({ index }) => {
    const label = facts.is_color ? "Colour" : facts.channels[index];
    const tick = h("input", { type: "checkbox", "aria-label": `Show ${label}`, "data-channel": label, onchange: () => change(index, { visible: tick.checked }) });
    const color = h("input", { type: "color", "aria-label": `Colour of ${label}`, hidden: facts.is_color, oninput: () => change(index, { color: color.value }) });
    const contrast = rangeSlider(label, (low, high) => change(index, { low, high }));
    const auto = h("button", { type: "button", class: "cs-small", title: `Usual contrast of ${label} in this slice`, onclick: () => send({ do: "limits", index }) }, "Auto");
    const node = h("div", { class: "cs-channel" }, tick, color, h("span", { class: "cs-name", title: label }, label), auto, contrast);
    node.show = () => {
      const one = look().channels.find((other) => other.index === index);
      tick.checked = one.visible;
      color.value = one.color;
      contrast.hidden = !one.visible;
      contrast.show(one.low, one.high, model.get("ranges")[String(index)], facts.is_color ? "#888888" : one.color);
    };
    return node;
  });
  const masks = look().masks.map(({ name: mask }) => {
    const set = (values) => put({ masks: look().masks.map((one) => (one.name === mask ? { ...one, ...values } : one)) });
    const tick = h("input", { type: "checkbox", "data-mask": mask, onchange: () => set({ visible: tick.checked }) });
    const color = h("input", { type: "color", "aria-label": `Colour of ${mask}`, oninput: () => set({ color: color.value }) });
    const node = h("div", { class: "cs-bar" }, h("label", { class: "cs-tick" }, tick, h("span", { class: "cs-name" }, mask)), color);
    node.show = () => {
      const one = look().masks.find((other) => other.name === mask);
      tick.checked = one.visible;
      color.value = one.color;
    };
    return node;
  });
  const parts = [...sliders, ...rows, ...masks];
  const showLook = () => {
    for (const part of parts) part.show();
  };
  let drawn = JSON.stringify(look());
  hear("change:look", () => {
    showLook();
    const now = JSON.stringify(look());
    if (now === drawn) return;
    drawn = now;
    stamp += 1;
    problem.textContent = "";
    ask();
  });
  hear("change:ranges", showLook);
  const showProblem = () => (problem.textContent = model.get("problem"));
  hear("change:problem", showProblem);

  // ---- all of it ----
  const um = facts.pixel_um[0] ? ` · ${Number(facts.pixel_um[0].toPrecision(4))} µm a pixel` : "";
  const axes = [[facts.size_z, "slice"], [facts.size_t, "time point"]].filter(([count]) => count > 1).map(([count, noun]) => ` · ${many(count, noun)}`);
  const section = (title, nodes) => (nodes.length ? [h("section", { class: "cs-card" }, h("h3", {}, title), nodes)] : []);
  const shownSliders = sliders.filter((one) => !one.hidden);
  root.append(
    h("div", { class: "cs-top" }, h("h2", { class: "cs-name" }, facts.name), h("span", { class: "cs-quiet" }, `${amount(width)} × ${amount(height)}${axes.join("")} · ${facts.dtype}${um}`)),
    h("div", { class: "cs-grid" }, h("div", { class: "cs-side" }, stage, shownSliders, problem),
      h("div", { class: "cs-controls" }, section("Channels", rows), section("Masks", masks))));
  el.append(root);
  const resized = new ResizeObserver(() => {
    if (!stage.clientWidth) return;
    const kept = model.get("view");
    view ??= kept.scale ? { ...kept } : whole();
    paint();
    ask();
  });
  resized.observe(stage);
  undo.push(() => resized.disconnect());
  showLook();
  showProblem();
  return () => undo.forEach((call) => call());
}

export default { render };
