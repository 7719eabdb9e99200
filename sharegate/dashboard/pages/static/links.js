// All links of a share at once: as a table, and mailed to whoever was not mailed theirs.

import { call, sentence } from "./board.js";
import { mail, merge } from "./roster.js";
import { notice } from "./said.js";

const says = (words) => (document.getElementById("handing").textContent = words);
const called = (link) => link.name || link.email || "Whoever has the link";
// One at a time: the page is shown anew meanwhile, and its buttons with it.
let busy = false;

async function linksOf(share) {
  const result = await call("GET", `/api/v1/shares/${share}`);
  if (result.ok) return result.said.share.links;
  notice(sentence(result.error), "trouble");
  return [];
}

async function table(share) {
  const links = (await linksOf(share)).filter((one) => ["active", "paused"].includes(one.state));
  const rows = [];
  for (const link of links) {
    const result = await call("GET", `/api/v1/links/${link.id}/url`);
    // A table that is not whole would be taken for one that is.
    if (!result.ok) return notice(`${called(link)}: ${sentence(result.error)}`, "trouble");
    rows.push([link.name, link.email, result.said.url]);
  }
  if (rows.length) merge(["name", "email", "link"], rows, "sharegate-links.csv");
}

async function mailAll(share) {
  const links = (await linksOf(share)).filter((one) => one.email && one.sent === null && one.state === "active");
  const handed = document.getElementById("handed");
  handed.replaceChildren();
  const sent = await mail(links.map((one) => one.id), (id, number, ok, words) => {
    const who = document.createElement("bdi");
    who.textContent = called(links.find((one) => one.id === id));
    const line = document.createElement("li");
    line.append(who, `: ${words}`);
    handed.append(line);
    says(`Mailing: ${number} of ${links.length} …`);
  });
  says(`${sent} of ${links.length} mailed.${sent ? " Whether they arrive, only the mailboxes know." : ""}`);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("#merge, #mail-all");
  if (!button || busy) return;
  busy = true;
  try {
    await (button.id === "merge" ? table : mailAll)(button.dataset.share);
  } finally {
    busy = false;
  }
});
