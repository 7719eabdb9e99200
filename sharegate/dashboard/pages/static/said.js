// What the dashboard says and asks: aloud for screen readers, at the foot of the page, in the title, in a dialog.

const byId = (id) => document.getElementById(id);

export function say(text) {
  byId("say").textContent = text;
}

// A word that nobody else comes upon: 128 bits, also where a browser takes plain http on this computer for unsafe.
export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint32Array(4)), (one) => one.toString(16).padStart(8, "0")).join("");

// It stays until the next one, or until it is closed: nobody has to read fast.
export function notice(text, kind = "") {
  byId("notice").dataset.kind = kind;
  byId("notice").hidden = false;
  byId("notice-words").textContent = text;
  byId(kind ? "alert" : "say").textContent = text;
}
byId("notice-close").addEventListener("click", () => (byId("notice").hidden = true));

// The count stands before every title, whoever wrote the title last: a page that is shown anew brings its own.
let counted = 0;
function entitle() {
  const plain = document.title.replace(/^\(\d+\) /, "");
  const wanted = counted ? `(${counted}) ${plain}` : plain;
  if (document.title !== wanted) document.title = wanted;
}
new MutationObserver(entitle).observe(document.head, { childList: true, subtree: true, characterData: true });

export function title(count) {
  counted = count;
  entitle();
  const badge = byId("waiting");
  badge.hidden = !count;
  badge.textContent = count;
}

// The dialog stands apart from what is shown anew, so that nothing that happens closes it.
export function ask(data) {
  const dialog = byId("ask");
  byId("ask-title").textContent = data.title || "Go on?";
  byId("ask-words").textContent = data.ask;
  byId("ask-yes").textContent = data.yes || "Go on";
  dialog.returnValue = "";
  dialog.showModal();
  byId("ask-no").focus();
  return new Promise((answer) => {
    dialog.addEventListener("close", () => answer(dialog.returnValue === "yes"), { once: true });
  });
}
byId("ask-yes").addEventListener("click", () => byId("ask").close("yes"));
byId("ask-no").addEventListener("click", () => byId("ask").close(""));
