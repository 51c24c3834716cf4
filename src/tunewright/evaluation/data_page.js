"use strict";
const findings = JSON.parse(document.getElementById("content").textContent);
const at = (name) => document.getElementById(name);
const units = ["line", "row", "picture"];
const out = new Map();
const unitOf = (row) => units.find((unit) => unit in row);
const keyOf = (row) => JSON.stringify([row.file, row[unitOf(row)]]);

function choice(row, code) {
  const unit = unitOf(row);
  return { file: row.file, [unit]: row[unit], id: row.id, code };
}

function put(name, css, content) {
  const made = document.createElement(name);
  if (css) made.className = css;
  made.textContent = content;
  return made;
}

function record(row, code) {
  const key = keyOf(row);
  const item = document.createElement("li");
  const button = put("button", "", "");
  button.type = "button";
  const draw = () => {
    item.className = out.has(key) ? "out" : "";
    button.textContent = out.has(key) ? "left out" : "keep";
    button.setAttribute("aria-pressed", String(out.has(key)));
  };
  button.addEventListener("click", () => {
    if (!out.delete(key)) out.set(key, choice(row, code));
    draw();
    count();
  });
  const label = "label" in row ? `  ·  ${row.label}` : "";
  const problem = row.problem ? `  ·  ${row.field}: ${row.problem}` : "";
  item.append(put("div", "text", row.text), button, put("div", "place", row.place + label + problem));
  draw();
  return item;
}

function count() {
  at("said").textContent = out.size === 1 ? "1 row is left out" : `${out.size} rows are left out`;
  at("save").disabled = out.size === 0;
}

function show() {
  const finding = findings[Number(at("which").value)];
  at("records").replaceChildren(...(finding ? finding.rows.map((row) => record(row, finding.code)) : []));
  at("shown").textContent = finding ? `${finding.rows.length} rows to read: ${finding.message}` : "";
  count();
}

function each(act) {
  const finding = findings[Number(at("which").value)];
  for (const row of finding ? finding.rows : []) act(keyOf(row), choice(row, finding.code));
  show();
}

function save() {
  const lines = [...out.values()].map((one) => `${JSON.stringify(one)}\n`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(lines, { type: "application/jsonl" }));
  link.download = "exclusions.jsonl";
  link.click();
  URL.revokeObjectURL(link.href);
}

findings.forEach((finding, place) => {
  if (!finding.rows.length) return;
  const option = put("option", "", `${finding.code} (${finding.rows.length})`);
  option.value = String(place);
  at("which").append(option);
});
for (const button of document.querySelectorAll("[data-read]")) {
  button.addEventListener("click", () => {
    at("which").value = button.dataset.read;
    show();
    at("read").scrollIntoView();
  });
}
at("which").addEventListener("change", show);
at("all").addEventListener("click", () => each((key, one) => out.has(key) || out.set(key, one)));
at("none").addEventListener("click", () => each((key) => out.delete(key)));
at("save").addEventListener("click", save);
show();
