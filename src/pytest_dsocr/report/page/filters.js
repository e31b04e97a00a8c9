// Which rows the table shows. The address says it, too: #rows?layer=vision.Attention&verdict=fail.

const NO_PASS = "no pass";
const FILTERS = ["layer", "metric", "grid", "case", "verdict", "change", "device", "search"];

function filtersFromAddress() {
  const [, query] = location.hash.match(/^#rows\?(.*)$/) ?? [];
  if (query === undefined) return null;
  const given = new URLSearchParams(query);
  return Object.fromEntries(FILTERS.map((name) => [name, given.get(name) ?? ""]));
}

function addressOf(filters) {
  const set = FILTERS.filter((name) => filters[name]).map((name) => [name, filters[name]]);
  return set.length ? `#rows?${new URLSearchParams(set)}` : "#rows";
}

const haystacks = [];
function haystack(row) {
  haystacks[row] ??= ["layer", "case", "metric", "test", "reason", "because", "verdict"]
    .map((name) => field[name](row)).concat(label(field.metric(row))).join("\n").toLowerCase();
  return haystacks[row];
}

// Rows that fit all filters; every word of the search has to be somewhere in a row.
function matching(filters) {
  const words = filters.search.toLowerCase().split(/\s+/).filter(Boolean);
  const part = filters.case.toLowerCase();
  const tests = [
    ...["layer", "metric", "grid"].filter((name) => filters[name])
      .map((name) => (row) => field[name](row) === filters[name]),
    part && ((row) => field.case(row).toLowerCase().includes(part)),
    filters.verdict && ((row) => filters.verdict === NO_PASS
      ? field.verdict(row) !== "pass" : field.verdict(row) === filters.verdict),
    filters.change && ((row) => baseline(row)?.change === filters.change),
    filters.device && ((row) => deviceText(row) === filters.device),
    words.length && ((row) => words.every((word) => haystack(row).includes(word))),
  ].filter(Boolean);
  return allRows.filter((row) => tests.every((test) => test(row)));
}

// The inputs above the table; `changed` is told when one of them moves.
function filterPanel(changed) {
  const inputs = {};
  const panel = make("form", { class: "filters", role: "search", "aria-label": "Filter rows" });
  panel.addEventListener("submit", (event) => event.preventDefault());
  const add = (name, text, values, shown = (value) => value) => {
    const options = [["", "all"], ...values.map((value) => [value, shown(value)])];
    const [wrapped, select] = choice(text, options, changed);
    inputs[name] = select;
    if (values.length > 1) panel.append(wrapped);
  };
  const type = (name, text, attributes) => {
    inputs[name] = make("input", { type: "search", autocomplete: "off", spellcheck: "false", oninput: changed, ...attributes });
    panel.append(make("label", { class: name }, make("span", {}, text), inputs[name]));
  };
  const sorted = (values) => distinct(values).filter(Boolean).sort(collator.compare);
  const verdicts = VERDICTS.filter((verdict) => allRows.some((row) => field.verdict(row) === verdict));
  type("search", "Search", { placeholder: "layer, case, test, reason…" });
  add("layer", "Layer", sorted(allRows.map(field.layer)));
  add("metric", "Metric", Object.keys(data.labels), label);
  add("grid", "Crop grid", sorted(allRows.map(field.grid)));
  type("case", "Case", { list: "cases", placeholder: "part of its name" });
  panel.append(make("datalist", { id: "cases" }, sorted(allRows.map(field.case)).slice(0, 300).map((value) => make("option", { value }))));
  add("verdict", "Verdict", verdicts.length > 1 ? [NO_PASS, ...verdicts] : verdicts);
  add("change", "Baseline", sorted(allRows.map((row) => baseline(row)?.change)));
  add("device", "Device", sorted(allRows.map(deviceText)));
  panel.append(make("button", { type: "reset" }, "Clear"));
  panel.addEventListener("reset", () => setTimeout(changed));
  return {
    panel,
    read: () => Object.fromEntries(FILTERS.map((name) => [name, inputs[name].value])),
    write(filters) {
      for (const name of FILTERS) {
        const input = inputs[name];
        const unknown = input.tagName === "SELECT" && ![...input.options].some((one) => one.value === filters[name]);
        input.value = unknown ? "" : filters[name];
      }
    },
  };
}
