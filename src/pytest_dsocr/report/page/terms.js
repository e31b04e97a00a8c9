// A layer's ops: what each was predicted to cost, beside what was counted for it.

function termsTable(row) {
  const lines = terms(row);
  if (!lines.length) return null;
  const parts = lines.filter((term) => number(term.predicted) !== number(term.measured)).length;
  const total = lines.reduce((sum, term) => sum + number(term.predicted), 0);
  const caption = parts
    ? `Ops, predicted and counted: ${figure(parts)} of ${figure(lines.length)} lines part ways`
    : `Ops, predicted and counted: ${lines.length === 1 ? "they agree" : `all ${figure(lines.length)} lines agree`}`;
  const heads = ["predicted op", "kind", "predicted", "share", "", "counted", "counted call"];
  const table = make("table", { class: "terms" },
    make("caption", {}, caption),
    make("thead", {}, make("tr", {}, heads.map((head) =>
      make("th", { scope: "col", class: ["predicted", "counted", "share"].includes(head) ? "figure" : null }, head)))),
    make("tbody", {}, lines.map((term) => termLine(term, total))));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Ops" }, table);
}

function termLine(term, total) {
  const agrees = number(term.predicted) === number(term.measured);
  const share = total ? number(term.predicted) / total : 0;
  const figureCell = (text, there) => make("td", { class: "figure" }, there ? text : "");
  const sign = make("td", { class: "sign", title: agrees ? "they agree" : "here they part ways" }, agrees ? "=" : "≠");
  return make("tr", { class: agrees ? null : "parts" },
    named(term.op, term.launches),
    make("td", { class: "quiet" }, term.kind),
    figureCell(figure(term.predicted), term.op),
    make("td", { class: "figure share" }, shareBar(share), term.op ? percent(share) : ""),
    sign,
    figureCell(figure(term.measured), term.call),
    named(term.call, term.calls));
}

function named(name, count) {
  return name ? make("td", {}, name, make("small", {}, times(count))) : make("td", { class: "quiet" }, "none");
}

function shareBar(share) {
  const width = Math.max(0, Math.min(share, 1)) * 40;
  return draw("svg", { class: "bar-of", width: 40, height: 8, "aria-hidden": "true" },
    draw("rect", { x: 40 - width, width, height: 8 }));
}
