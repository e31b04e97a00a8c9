// Axes, and a tip at the point that a pointer is near or that arrow keys lead to.

function axes(box, x, y, { xText, yText, xTitle, yTitle, xCount = 6, yCount = 5 }) {
  const { left, right, top, bottom } = box;
  return draw("g", { class: "axes", "aria-hidden": "true" },
    y.ticks(yCount).map((value) => [
      draw("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }),
      draw("text", { x: left - 6, y: y(value) + 3.5, "text-anchor": "end" }, yText(value)),
    ]),
    x.ticks(xCount).map((value) => [
      draw("line", { class: "tick", x1: x(value), x2: x(value), y1: bottom, y2: bottom + 4 }),
      draw("text", { x: x(value), y: bottom + 16, "text-anchor": "middle" }, xText(value)),
    ]),
    draw("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }),
    draw("text", { class: "title", x: right, y: bottom + 31, "text-anchor": "end" }, xTitle),
    draw("text", { class: "title", x: 0, y: top - 8 }, yTitle));
}

const SHAPES = [
  (x, y) => `M${x - 3.5} ${y}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z`,
  (x, y) => `M${x - 3.2} ${y - 3.2}h6.4v6.4h-6.4z`,
  (x, y) => `M${x} ${y - 4.2}l4 7h-8z`,
  (x, y) => `M${x} ${y - 4.4}l4.4 4.4l-4.4 4.4l-4.4 -4.4z`,
];
const CROSS = (x, y) => `M${x - 4} ${y - 4}l8 8M${x + 4} ${y - 4}l-8 8`;

function marker(at, x, y, className) {
  return draw("path", { class: className, d: SHAPES[at % SHAPES.length](x, y) });
}

// A picture that is drawn as wide as there is room, and anew when that changes. `paint` gets the width and gives
// the picture's parts, its height and its points: { x, y, lines, go }.
function chart(name, paint) {
  const svg = draw("svg", { class: "chart", role: "img", tabindex: "0", "aria-label": name });
  const tip = make("div", { class: "tip", hidden: true });
  const said = make("p", { class: "hidden", role: "status" });
  const element = make("div", { class: "chart-box" }, svg, tip, said);
  let points = [];
  let at = -1;
  let drawn = 0;

  function repaint(width) {
    const { height, parts, points: made } = paint(width);
    drawn = width;
    points = made;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.replaceChildren(...parts.flat(Infinity), draw("circle", { class: "halo", r: 7, visibility: "hidden" }));
    hide();
  }

  function hide() {
    at = -1;
    tip.hidden = true;
    svg.lastElementChild?.setAttribute("visibility", "hidden");
  }

  function show(index, aloud) {
    at = index;
    const { x, y, lines } = points[index];
    const halo = svg.lastElementChild;
    halo.setAttribute("cx", x);
    halo.setAttribute("cy", y);
    halo.setAttribute("visibility", "visible");
    const [head, ...rest] = lines;
    tip.replaceChildren(make("b", {}, head), ...rest.map((line) => make("span", {}, line)));
    tip.hidden = false;
    const zoom = svg.clientWidth / drawn || 1;
    const room = element.clientWidth - tip.offsetWidth;
    tip.style.left = `${Math.max(0, Math.min(x * zoom + 12, room))}px`;
    const above = y * zoom - tip.offsetHeight - 12;
    tip.style.top = `${above < 0 ? y * zoom + 14 : above}px`;
    if (aloud) said.textContent = lines.join(", ");
  }

  function nearest(event) {
    const place = svg.getBoundingClientRect();
    const zoom = drawn / place.width;
    const [x, y] = [(event.clientX - place.left) * zoom, (event.clientY - place.top) * zoom];
    let best = -1;
    let least = 30 ** 2;
    points.forEach((point, index) => {
      const far = (point.x - x) ** 2 + (point.y - y) ** 2;
      if (far < least) [best, least] = [index, far];
    });
    return best;
  }

  svg.addEventListener("pointermove", (event) => {
    const found = nearest(event);
    if (found < 0) hide();
    else if (found !== at) show(found, false);
  });
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("blur", hide);
  svg.addEventListener("click", () => points[at]?.go?.());
  svg.addEventListener("keydown", (event) => {
    const last = points.length - 1;
    const to = { ArrowRight: Math.min(at + 1, last), ArrowLeft: Math.max(at - 1, 0), Home: 0, End: last }[event.key];
    if (event.key === "Escape") hide();
    else if (event.key === "Enter" && at >= 0) points[at].go?.();
    else if (to !== undefined && points.length) {
      event.preventDefault();
      show(to, true);
    }
  });
  const measure = () => {
    const width = Math.round(element.clientWidth);
    if (width && width !== drawn) repaint(width);
  };
  new ResizeObserver(measure).observe(element);
  return { element, repaint: () => drawn && repaint(drawn) };
}

function goToRow(row) {
  location.hash = addressOf({
    layer: field.layer(row), metric: field.metric(row), case: field.case(row),
  });
}

const GROUPS = ["vision", "llama", "decoder", "model"];
const LANE = 17;

function groupOf(layer) {
  const at = GROUPS.indexOf(layer.split(".")[0]);
  return at < 0 ? GROUPS.length : at;
}

function shortened(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

// A line for each layer, below one another from `top` on, with the layers' names on the left.
function lanes(width, names, top) {
  const layers = distinct(names).sort((one, other) => groupOf(one) - groupOf(other) || collator.compare(one, other));
  const places = new Map(layers.map((layer, at) => [layer, top + (at + 0.5) * LANE]));
  const narrow = width < 620;
  const box = { left: narrow ? 128 : 226, right: width - 14, top };
  const lane = (layer) => places.get(layer);
  const labels = layers.map((layer) => [
    draw("line", { class: "grid", x1: box.left, x2: box.right, y1: lane(layer), y2: lane(layer) }),
    draw("text", { x: box.left - 8, y: lane(layer) + 4, "text-anchor": "end" }, shortened(narrow ? layer.split(".").at(-1) : layer, narrow ? 15 : 32)),
  ]);
  return { layers, narrow, box, lane, labels, bottom: top + layers.length * LANE };
}
