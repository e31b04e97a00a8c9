// Elements. What comes from the rows is only ever put in as text.

const SVG = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function draw(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function verdictMark(verdict) {
  const mark = make("span", { "aria-hidden": "true" }, MARKS[verdict] ?? "");
  return make("span", { class: `verdict ${verdict.replace(" ", "-")}` }, mark, ` ${verdict}`);
}

// Names and their texts; those without a text are left out.
function facts(pairs, className = "facts") {
  const told = pairs.filter(([, text]) => text !== "" && text !== null && text !== undefined);
  return make("dl", { class: className }, told.map(([name, text]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, text))));
}

function choice(name, options, onChange) {
  const select = make("select", { onchange: () => onChange(select.value) },
    options.map(([value, text]) => make("option", { value }, text)));
  return [make("label", {}, make("span", {}, name), select), select];
}

// Arrow keys move between places of which only one is reached by Tab; `next` finds where a key leads.
function roving(container, selector, next) {
  const enter = (place) => {
    for (const one of container.querySelectorAll(`${selector}[tabindex="0"]`)) one.tabIndex = -1;
    place.tabIndex = 0;
  };
  container.addEventListener("focusin", (event) => {
    const place = event.target.closest(selector);
    if (place) enter(place);
  });
  container.addEventListener("keydown", (event) => {
    const place = event.target.closest(selector);
    if (!place || event.altKey || event.ctrlKey || event.metaKey) return;
    const found = next(place, event.key);
    if (!found) return;
    event.preventDefault();
    found.focus();
  });
}
