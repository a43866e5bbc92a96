// Shared by the widgets. Everything that is shown is set as text, never as markup: names come from files.

/** Make an element: attributes, listeners (`onclick`), properties (`.value`) and children. */
function h(tag, given = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name.startsWith(".")) node[name.slice(1)] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** Call a function once things have been quiet for a moment. */
function calmly(call, milliseconds = 80) {
  let timer;
  const later = (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...args), milliseconds);
  };
  later.stop = () => clearTimeout(timer);
  return later;
}

/** Keys pressed in a field are not shortcuts of the notebook. */
function keepKeys(root) {
  root.addEventListener("keydown", (event) => {
    if (/^(INPUT|SELECT|TEXTAREA|BUTTON|SUMMARY)$/.test(event.target.tagName) || event.target.tabIndex >= 0) {
      event.stopPropagation();
    }
  });
}

/** Take the colours of the notebook's theme, whichever notebook it is. */
function followTheme(root) {
  const look = () => {
    const body = document.body;
    const stated = body.getAttribute("data-jp-theme-light");
    const isDark = stated !== null ? stated === "false" : body.classList.contains("vscode-dark") || brightness(body) < 0.4;
    root.style.colorScheme = isDark ? "dark" : "light";
  };
  const watch = new MutationObserver(look);
  watch.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });
  look();
  return () => watch.disconnect();
}

function brightness(node) {
  const [r, g, b, a = 1] = (getComputedStyle(node).backgroundColor.match(/[\d.]+/g) ?? [255, 255, 255]).map(Number);
  return a === 0 ? 1 : (0.3 * r + 0.59 * g + 0.11 * b) / 255;
}

function sizeText(bytes) {
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (bytes < 1024) return `${unit === "B" ? bytes : bytes.toFixed(1)} ${unit}`;
    bytes /= 1024;
  }
  return `${bytes.toFixed(1)} TiB`;
}

const amount = (count) => Number(count).toLocaleString("en-GB");
const many = (count, noun, plural = `${noun}s`) => `${amount(count)} ${count === 1 ? noun : plural}`;

/** Round to what a slider of contrast can show. */
function tidy(value, span) {
  const digits = Math.max(0, 3 - Math.floor(Math.log10(Math.max(span, 1e-9))));
  return Number(value.toFixed(Math.min(digits, 9)));
}

/** Two handles on one track, and a field for each end. `change(low, high)` is called while they move. */
function rangeSlider(label, change) {
  const lowField = h("input", { type: "number", step: "any", class: "cs-number", "aria-label": `${label}: black` });
  const highField = h("input", { type: "number", step: "any", class: "cs-number", "aria-label": `${label}: full colour` });
  const lowHandle = h("input", { type: "range", tabindex: "-1", "aria-hidden": "true" });
  const highHandle = h("input", { type: "range", tabindex: "-1", "aria-hidden": "true" });
  const fill = h("span", { class: "cs-fill" });
  const root = h("div", { class: "cs-range" }, lowField, h("div", { class: "cs-track" }, fill, lowHandle, highHandle), highField);
  let now = [0, 1];
  const paint = () => {
    const [min, max] = [Number(lowHandle.min), Number(lowHandle.max)];
    const share = (value) => (100 * (Math.min(max, Math.max(min, value)) - min)) / (max - min || 1);
    fill.style.left = `${share(now[0])}%`;
    fill.style.right = `${100 - share(now[1])}%`;
  };
  const moved = (low, high) => {
    now = [low, high];
    lowField.value = low;
    highField.value = high;
    paint();
    change(low, high);
  };
  const span = () => Number(lowHandle.max) - Number(lowHandle.min);
  lowHandle.addEventListener("input", () => moved(tidy(Math.min(Number(lowHandle.value), now[1]), span()), now[1]));
  highHandle.addEventListener("input", () => moved(now[0], tidy(Math.max(Number(highHandle.value), now[0]), span())));
  lowField.addEventListener("change", () => lowField.value !== "" && moved(Number(lowField.value), now[1]));
  highField.addEventListener("change", () => highField.value !== "" && moved(now[0], Number(highField.value)));
  root.show = (low, high, range, color) => {
    now = [low, high ?? low + 1];
    const min = Math.min(range?.min ?? 0, now[0]);
    const max = Math.max(range?.max ?? now[1], now[1]);
    for (const handle of [lowHandle, highHandle]) {
      handle.min = min;
      handle.max = max > min ? max : min + 1;
      handle.step = "any";
    }
    const active = root.getRootNode().activeElement;
    if (active !== lowField) lowField.value = now[0];
    if (active !== highField) highField.value = now[1];
    if (active !== lowHandle) lowHandle.value = now[0];
    if (active !== highHandle) highHandle.value = now[1];
    fill.style.background = color;
    paint();
  };
  return root;
}
