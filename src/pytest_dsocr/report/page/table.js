// The table of all rows: as many lines as are looked at, sorted by a column, each opened by a click or a key.

const FIRST_LINES = 50;
const MORE_LINES = 200;

const byText = (name) => {
  const order = new Map(distinct(allRows.map(field[name])).sort(collator.compare).map((text, at) => [text, at]));
  return (row) => order.get(field[name](row));
};
const metricOrder = new Map(Object.keys(data.labels).map((name, at) => [name, at]));
const hasBaseline = allRows.some((row) => standingOf(row));
const size = (value) => Math.abs(number(value));

// Each column: its head, what it is sorted by, what a cell shows. The largest come first where `down` is set.
const COLUMNS = [
  { name: "layer", by: byText("layer") },
  { name: "case", by: byText("case"), show: field.case },
  { name: "metric", by: (row) => metricOrder.get(field.metric(row)), show: (row) => label(field.metric(row)) },
  { name: "predicted", by: (row) => number(field.predicted(row)), down: true, show: (row) => figureOf(field.metric(row), field.predicted(row)) },
  { name: "measured", by: (row) => number(field.measured(row)), down: true, show: (row) => figureOf(field.metric(row), field.measured(row)) },
  {
    name: "difference", down: true, by: (row) => size(field.relative_difference(row)),
    show: (row) => relativeText(row) || signedOf(field.metric(row), difference(field.predicted(row), field.measured(row))),
  },
  { name: "allowed", by: field.rtol, down: true, show: allowedText },
  { name: "verdict", by: (row) => VERDICTS.indexOf(field.verdict(row)), show: (row) => verdictMark(field.verdict(row)) },
  ...(hasBaseline ? [{ name: "baseline", down: true, by: changeSize, show: changeMark }] : []),
];
const FIGURES = ["predicted", "measured", "difference", "allowed"];

function changeSize(row) {
  const stored = baseline(row);
  return stored && stored.relative !== null ? size(stored.relative) : -1;
}

function changeMark(row) {
  const stored = baseline(row);
  return stored ? make("span", { class: `change ${stored.change}` }, changeText(stored)) : "";
}

function sortedRows(rows, column, descending) {
  const keys = new Map(rows.map((row) => [row, column.by(row)]));
  const sign = descending ? -1 : 1;
  const rank = (key) => Number.isNaN(key) ? Infinity : sign * key; // what is no number comes last
  return [...rows].sort((one, other) => {
    const a = rank(keys.get(one));
    const b = rank(keys.get(other));
    return a < b ? -1 : a > b ? 1 : one - other;
  });
}

function rowTable() {
  let shown = [];
  let lines = 0;
  let sorting = { column: COLUMNS.find((one) => one.name === "verdict"), descending: false };
  const status = make("p", { class: "note", role: "status", id: "row-count" });
  const body = make("tbody", { role: "rowgroup" });
  const some = make("button", { type: "button", onclick: () => grow(MORE_LINES) });
  const rest = make("button", { type: "button", onclick: growToEnd });
  const more = make("div", { class: "more" }, some, rest);
  const heads = COLUMNS.map((column) => make("th", { scope: "col", role: "columnheader", class: FIGURES.includes(column.name) ? "figure" : null },
    make("button", { type: "button", onclick: () => sortBy(column) }, column.name)));
  const filters = filterPanel(refilter);

  function sortBy(column) {
    const again = sorting.column === column;
    sorting = { column, descending: again ? !sorting.descending : Boolean(column.down) };
    show(shown);
  }

  function refilter() {
    const given = filters.read();
    try {
      history.replaceState(null, "", addressOf(given));
    } catch { /* a page within another one may not */ }
    show(matching(given));
  }

  function show(rows) {
    shown = sortedRows(rows, sorting.column, sorting.descending);
    COLUMNS.forEach((column, at) => {
      const way = sorting.descending ? "descending" : "ascending";
      heads[at].setAttribute("aria-sort", column === sorting.column ? way : "none");
    });
    status.textContent = shown.length === data.count
      ? `${figure(data.count)} rows` : `${figure(shown.length)} of ${figure(data.count)} rows`;
    body.replaceChildren();
    lines = 0;
    grow(FIRST_LINES);
  }

  function grow(count) {
    const from = lines;
    lines = Math.min(lines + count, shown.length);
    body.append(...shown.slice(from, lines).map(lineOf));
    if (from === 0 && body.firstElementChild) body.querySelector(".open").tabIndex = 0;
    more.hidden = lines >= shown.length;
    some.hidden = shown.length - lines <= MORE_LINES;
    some.textContent = `Show ${figure(MORE_LINES)} more`;
    rest.textContent = `Show all ${figure(shown.length)}`;
  }

  // A part in each frame, so that the page answers meanwhile; what is shown anew ends it.
  function growToEnd() {
    const rows = shown;
    const step = () => {
      if (rows !== shown || lines >= shown.length) return;
      grow(MORE_LINES);
      requestAnimationFrame(step);
    };
    step();
  }

  rowKeys(body, () => lines < shown.length && grow(MORE_LINES));
  body.addEventListener("click", (event) => {
    const line = event.target.closest("tr.line");
    const selects = String(getSelection()) && !event.target.closest(".open"); // text of a row, by the mouse
    if (line && !selects) toggle(line);
  });
  const table = make("table", { class: "rows", role: "table", "aria-describedby": "row-count" },
    make("colgroup", {}, COLUMNS.map(({ name }) => make("col", { class: `of-${name}` }))),
    make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, heads)), body);
  return {
    element: make("div", {}, filters.panel, status, table, more),
    apply(given) {
      filters.write(given);
      show(matching(filters.read()));
      const meant = shown.filter((row) => shown.length === 1 || field.case(row) === given.case);
      const line = meant.length === 1 && body.querySelector(`[data-row="${meant[0]}"]`);
      if (line) toggle(line);
    },
    showAll: () => show(allRows),
  };
}

// Arrow keys, Home and End go from row to row, past what is open below one; `grow` adds lines where they end.
function rowKeys(body, grow) {
  const isLine = (element) => element?.classList.contains("line");
  const opener = (line) => line?.querySelector(".open");
  roving(body, ".open", (place, key) => {
    if (key === "Home") return opener(body.firstElementChild);
    if (key === "End") return opener([...body.children].findLast(isLine));
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[key];
    if (!step) return null;
    const beside = () => {
      let next = place.closest("tr")[step];
      while (next && !isLine(next)) next = next[step];
      return next;
    };
    if (key === "ArrowDown" && !beside()) grow();
    return opener(beside());
  });
}

function lineOf(row) {
  const verdict = field.verdict(row).replace(" ", "-");
  const [, ...others] = COLUMNS;
  const open = make("button", { type: "button", class: "open", "aria-expanded": "false", tabindex: "-1" }, field.layer(row));
  return make("tr", { class: `line ${verdict}`, role: "row", "data-row": row },
    make("th", { scope: "row", role: "rowheader" }, open),
    others.map((column) => make("td", { role: "cell", class: cellClass(column, row) }, column.show(row))));
}

function cellClass({ name }, row) {
  const quiet = (name === "difference" || name === "allowed") && number(field.relative_difference(row)) === 0;
  return [name, FIGURES.includes(name) && "figure", quiet && "quiet"].filter(Boolean).join(" ");
}

function toggle(line) {
  const open = line.querySelector(".open");
  const isOpen = open.getAttribute("aria-expanded") === "true";
  open.setAttribute("aria-expanded", String(!isOpen));
  if (isOpen) {
    line.nextElementSibling.remove();
    return;
  }
  const row = Number(line.dataset.row);
  const cell = make("td", { colspan: COLUMNS.length, role: "cell" }, detailsOf(row));
  line.after(make("tr", { class: "detail", role: "row", id: `row-${row}` }, cell));
  open.setAttribute("aria-controls", `row-${row}`);
}
