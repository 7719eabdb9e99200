// A receipt as a file, and a file as a receipt.

import { call, sentence } from "./board.js";
import { notice } from "./said.js";

document.addEventListener("click", async (event) => {
  const element = event.target.closest("[data-receipt]");
  if (!element) return;
  const result = await call("GET", element.dataset.receipt);
  if (!result.ok) return notice(sentence(result.error), "trouble");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${JSON.stringify(result.said.proof.receipt, null, 2)}\n`]));
  link.download = element.dataset.name;
  link.click();
  URL.revokeObjectURL(link.href);
});

const form = document.getElementById("check");
const LARGEST = 1 << 20;

async function receipt(file) {
  if (!file) throw new Error("Choose a file first.");
  if (file.size > LARGEST) throw new Error("This is too large for a receipt.");
  try {
    const found = JSON.parse(await file.text());
    if (found && typeof found === "object" && !Array.isArray(found)) return found;
  } catch {
    // told below
  }
  throw new Error("This is not a receipt.");
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const trouble = form.querySelector(".trouble");
  const shown = document.getElementById("checked");
  trouble.textContent = "";
  shown.hidden = true;
  let found;
  try {
    found = await receipt(document.getElementById("f-receipt").files[0]);
  } catch (error) {
    trouble.textContent = error.message;
    return;
  }
  const result = await call("POST", "/api/v1/receipts/check", { receipt: found });
  if (!result.ok) {
    trouble.textContent = sentence(result.error);
    return;
  }
  const lines = result.said.words.map((words) => {
    const line = document.createElement("li");
    const text = document.createElement("bdi");
    text.textContent = words;
    line.append(text);
    return line;
  });
  document.getElementById("checked-lines").replaceChildren(...lines);
  shown.hidden = false;
});
