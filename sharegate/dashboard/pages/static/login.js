// Hands the one-time key over. It stands in the address's fragment, which no server and no log sees, and leaves the
// address bar before anything else happens.

const key = location.hash.slice(1);
if (location.hash || location.href.endsWith("#")) history.replaceState(null, "", location.pathname);

function trouble(text) {
  document.getElementById("trouble").textContent = text;
}

async function enter() {
  document.getElementById("title").textContent = "Signing in…";
  let answer;
  try {
    answer = await fetch("/login", {
      method: "POST",
      mode: "cors",
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ code: key }),
    });
  } catch {
    return trouble("The gate does not answer. Is it running?");
  }
  if (answer.ok) return location.replace("/");
  const said = await answer.json().catch(() => null);
  document.getElementById("title").textContent = "Your dashboard.";
  const error = said || {};
  trouble(`${error.detail || "The gate did not understand this page."}. ${error.remedy || ""}`.trim());
}

// To the provider of accounts, which sends the browser back to a page of ours.
async function sign() {
  trouble("");
  let answer;
  try {
    answer = await fetch("/login/sign", {
      method: "POST",
      mode: "cors",
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      headers: { "Content-Type": "application/json" },
      body: "{}",
    });
  } catch {
    return trouble("The gate does not answer. Is it running?");
  }
  const said = (await answer.json().catch(() => null)) || {};
  if (!answer.ok) return trouble(`${said.detail || "The gate did not understand this page."}. ${said.remedy || ""}`.trim());
  const target = new URL(said.location);
  if (target.protocol === "https:" || target.protocol === "http:") location.assign(target.href);
}

document.getElementById("sign")?.addEventListener("click", sign);
if (document.querySelector("[data-entered]")) location.replace("/");
else if (key) enter();
