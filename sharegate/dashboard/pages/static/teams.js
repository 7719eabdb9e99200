// A share for each team: what would be made is shown first, and made of exactly that.

import { call } from "./board.js";
import { clear, fieldsOf } from "./fields.js";
import { count, element, fill, mail, merge, named, once, refused } from "./roster.js";
import { newKey } from "./said.js";

const at = (id) => document.getElementById(id);
const form = at("teams");
const shown = at("shown");
let asked = null;
let rows = [];

function gone() {
  asked = null;
  shown.hidden = true;
}

function beside(said) {
  const notes = said.warnings.map((words) => element("p", words, { className: "note" }));
  const list = (words, names) => element("p", [words, ...names.flatMap((name, i) => [i ? ", " : "", named(name)]), "."], { className: "note" });
  if (said.missing.length) notes.unshift(list("Teams without a folder, left out: ", said.missing.map((one) => one.team)));
  if (said.left.length) notes.unshift(list("Folders without a team, left out: ", said.left));
  at("beside").replaceChildren(...notes);
}

function heading(team, words) {
  return element("p", [element("strong", named(team.team)), " ", named(team.path, "path soft"), element("br", []), element("span", words, { className: "soft" })], { className: "words" });
}

// Who of a team has a link already is not made another.
function would(team) {
  const people = team.people.flatMap((one, i) => [i ? ", " : "", named(one.name || one.email)]);
  const before = team.known.length ? ` · ${count(team.known.length, "has a link already", "have links already")}` : "";
  return element("li", [heading(team, [...people, before])], { className: "row" });
}

function link(team, one) {
  const input = element("input", [], { type: "text", readOnly: true, value: one.url, translate: false });
  input.setAttribute("aria-label", `The link of ${one.name || one.email}`);
  const copy = element("button", "Copy", { type: "button" });
  copy.dataset.copy = `/api/v1/links/${one.id}/url`;
  copy.setAttribute("aria-label", `Copy the link of ${one.name || one.email}`);
  const state = element("span", one.sent_unsure ? " · mailing it broke off" : one.sent ? " · mailed" : "", { className: "soft" });
  rows.push({ team: team.team, link: one, state });
  const mailed = one.email && one.name ? [element("span", [" ", named(one.email)], { className: "soft" })] : [];
  return element("li", [
    element("p", [element("strong", named(one.name || one.email)), ...mailed, state], { className: "words" }),
    element("div", [input, copy], { className: "copying wide" }),
  ], { className: "row" });
}

function given(team) {
  const links = [...team.made, ...team.known].filter((one) => one.url && ["active", "paused"].includes(one.state));
  const to = element("a", "To the share", { className: "button", href: `/shares/${team.share.id}` });
  to.setAttribute("aria-label", `To the share of ${team.team}`);
  const head = element("li", [heading(team, count(links.length, "link", "links")), element("p", to, { className: "acts" })], { className: "row" });
  return [head, ...links.map((one) => link(team, one))];
}

function unsent() {
  return rows.filter(({ link }) => link.email && link.sent === null && link.state === "active");
}

function present(title) {
  shown.hidden = false;
  at("shown-title").textContent = title;
  at("shown-title").focus();
  at("shown-title").scrollIntoView({ block: "start" });
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  once(form.querySelector('[type="submit"]'), preview);
});

async function preview() {
  clear(form);
  at("rows").replaceChildren();
  at("rows").hidden = true;
  gone();
  const body = { each: "", roster: "", ...fieldsOf(form) };
  // Ticked is as usual: whoever signs in is not asked for a code as well.
  if (body.prove) delete body.prove;
  // The folder that they lie in is as good as a pattern.
  if (body.each && !/[*?[]/.test(body.each.split("/").pop())) body.each = `${body.each.replace(/\/+$/, "")}/*`;
  const result = await call("POST", "/api/v1/rosters/teams", { ...body, dry_run: true });
  if (!result.ok) return refused(form, at("rows"), result.error);
  const { said } = result;
  asked = { ...body, partial: said.left.length + said.missing.length > 0 };
  beside(said);
  at("found").replaceChildren(...said.teams.map(would));
  const links = said.teams.reduce((sum, team) => sum + team.people.length - team.known.length, 0);
  at("make").textContent = `Make ${count(links, "link", "links")} in ${count(said.teams.length, "share", "shares")}`;
  at("make-trouble").textContent = "";
  at("making-acts").hidden = false;
  at("made-acts").hidden = true;
  at("mailing").textContent = "";
  present("This would be shared. Nothing is made yet.");
}

at("make")?.addEventListener("click", () => once(at("make"), async () => {
  const body = asked;
  if (!body) return;
  body.key ||= newKey();
  const { key, ...said } = body;
  const result = await call("POST", "/api/v1/rosters/teams", said, { "Idempotency-Key": key });
  if (!result.ok) {
    body.key = "";
    at("make-trouble").textContent = "Nothing was made.";
    return refused(form, at("rows"), result.error);
  }
  rows = [];
  asked = null;
  // A passphrase stays in no page.
  form.reset();
  form.hidden = true;
  beside(result.said);
  at("found").replaceChildren(...result.said.teams.flatMap(given));
  at("making-acts").hidden = true;
  at("made-acts").hidden = false;
  if (at("mail")) at("mail").hidden = !unsent().length;
  present(`${count(rows.length, "link", "links")} in ${count(result.said.teams.length, "share", "shares")}`);
}));

at("merge")?.addEventListener("click", () => {
  const table = rows.map(({ team, link }) => [team, link.name, link.email, link.url]);
  merge(["team", "name", "email", "link"], table, "sharegate-links.csv");
});

at("mail")?.addEventListener("click", () => once(at("mail"), async () => {
  const wanted = unsent();
  const sent = await mail(wanted.map(({ link }) => link.id), (id, number, ok, words) => {
    const row = wanted.find(({ link }) => link.id === id);
    if (ok) row.link.sent = 1;
    row.state.textContent = ` · ${words}`;
    at("mailing").textContent = `Mailing: ${number} of ${wanted.length} …`;
  });
  at("mailing").textContent = `${sent} of ${wanted.length} mailed.${sent ? " Whether they arrive, only the mailboxes know." : ""}`;
  at("mail").hidden = !unsent().length;
}));

at("file")?.addEventListener("change", () => {
  if (!at("file").files.length) return;
  gone();
  fill(form, at("file"), at("rows"), at("read-as"));
});
// Folders to choose from are those of the server that is chosen.
form?.elements.server.addEventListener("change", async ({ target }) => {
  const { value } = target;
  at("near").replaceChildren();
  const result = await call("GET", `/api/v1/servers/${value}/browse`);
  // Another one was chosen meanwhile.
  if (!result.ok || target.value !== value) return;
  const folders = result.said.entries.filter((one) => one.kind === "directory" && one.shareable);
  at("near").replaceChildren(...folders.map((one) => element("option", [], { value: `${one.path}/*` })));
});
// What is shown is what stands in the form, or nothing.
form?.addEventListener("input", gone);
// Links are in this page while somebody looks at it.
addEventListener("pagehide", () => {
  rows = [];
  at("found")?.replaceChildren();
});
