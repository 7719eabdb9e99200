// What a malicious owner's script tries from the page of a share. `t` names the targets; each attempt says "reached" or
// why it got nothing. The name of the function is filled in by whoever serves it.

window.EVIL = {
  async quiet(t) {
    const found = {};
    const late = () => new Promise((done) => setTimeout(() => done("nothing: no answer"), 5000));
    const attempt = async (name, act) => {
      try {
        found[name] = await Promise.race([act(), late()]);
      } catch (error) {
        found[name] = `nothing: ${error.name}`;
      }
    };
    const read = async (url, init = {}) => {
      const answer = await fetch(url, { credentials: "include", ...init });
      if (answer.type === "opaque") return "nothing: opaque";
      const text = await answer.text();
      return text.includes(t.secret) || answer.ok ? "reached" : `nothing: ${answer.status}`;
    };
    const element = (tag, facts) =>
      new Promise((done) => {
        const made = Object.assign(document.createElement(tag), facts);
        made.onload = () => done("reached");
        made.onerror = () => done("nothing: error");
        document.documentElement.append(made);
      });
    const frame = (url) =>
      new Promise((done) => {
        const made = document.createElement("iframe");
        const look = () => {
          try {
            const page = made.contentDocument;
            return page && page.URL !== "about:blank" && page.body.innerHTML.length > 0 ? "reached" : "";
          } catch {
            return "";
          }
        };
        made.onload = () => setTimeout(() => done(look() || "nothing: closed"), 300);
        made.src = url;
        document.documentElement.append(made);
      });
    const plain = { method: "POST", mode: "no-cors", headers: { "Content-Type": "text/plain" }, body: "{}" };

    await attempt("contents", () => read(t.contents));
    await attempt("file", () => read(t.file));
    await attempt("file, no-cors", () => read(t.file, { mode: "no-cors" }));
    await attempt("write", () => read(t.contents, { method: "PUT", headers: { "Content-Type": "application/json" }, body: t.write }));
    await attempt("file as script", () => element("script", { src: t.file }));
    await attempt("file as picture", () => element("img", { src: t.file }));
    await attempt("page in a frame", () => frame(t.page));
    await attempt("file in a frame", () => frame(t.file));
    await attempt(
      "channel",
      () =>
        new Promise((done) => {
          const socket = new WebSocket(t.live);
          socket.onopen = () => done("reached");
          socket.onerror = () => done("nothing: error");
        }),
    );
    for (const [name, url] of Object.entries(t.workers)) {
      await attempt(`worker: ${name}`, async () => ((await navigator.serviceWorker.register(url)), "reached"));
    }
    await attempt("cookies", async () => (document.cookie.includes("sharegate") ? "reached" : "nothing: hidden"));
    for (const cookie of t.cookies) {
      try {
        document.cookie = cookie;
      } catch {
        // No cookies here: nothing was planted.
      }
    }
    await attempt("storage", async () => (localStorage.setItem("evil", "was here"), "nothing: own storage"));
    await attempt("dashboard", () => read(`${t.dashboard}/health`));
    await attempt("dashboard, no-cors", () => read(`${t.dashboard}/health`, { mode: "no-cors" }));
    await attempt("dashboard in a frame", () => frame(`${t.dashboard}/health`));
    await attempt("dashboard under this host", () => read(`http://${location.hostname}:${new URL(t.dashboard).port}/health`));
    for (const [name, door] of Object.entries(t.doors)) {
      await attempt(`${name} door`, () => read(door));
      await attempt(`${name} door, posted`, () => read(door, plain));
      await attempt(`${name} door in a frame`, () => frame(door));
    }
    return found;
  },

  // What is opened in a tab of its own: whether this page can look into it.
  async windows(t) {
    const found = {};
    for (const [name, url] of Object.entries(t.windows)) {
      const opened = window.open(url);
      if (!opened) {
        found[name] = "not opened";
        continue;
      }
      found[name] = "nothing: closed";
      for (let turn = 0; turn < 100 && found[name] !== "reached"; turn += 1) {
        try {
          opened.postMessage({ evil: true }, "*");
          const page = opened.document;
          if (page.URL !== "about:blank" && page.body && page.body.innerHTML.length > 0) found[name] = "reached";
        } catch {
          // Another origin.
        }
        if (opened.closed) break;
        await new Promise((done) => setTimeout(done, 100));
      }
    }
    return found;
  },

  // End the visit in the visitor's name.
  // From every page of this origin that a script can look into: what its policy says of workers is not this page's.
  async workers(t) {
    const found = {};
    const planted = performance.getEntriesByType("resource").map((each) => each.name).find((name) => name.includes("/-/static/") && name.includes("extensions/evil"));
    const worker = planted ? planted.slice(0, planted.lastIndexOf("/") + 1) + "worker.js" : t.own + "files/sub/shared/worker.js";
    for (const where of t.pages) {
      const opened = window.open(where);
      try {
        for (let turn = 0; turn < 60 && !(opened.document.readyState === "complete" && opened.location.href !== "about:blank"); turn += 1) {
          await new Promise((done) => setTimeout(done, 100));
        }
        await opened.navigator.serviceWorker.register(worker);
        found[where] = "reached";
      } catch (error) {
        found[where] = `nothing: ${error.name}`;
      }
      if (opened) opened.close();
    }
    return { found, worker, answered: (await fetch(worker)).status };
  },

  async leave(t) {
    const form = { method: "POST", headers: { "Content-Type": "text/plain" }, body: "{}" };
    const answer = await fetch(t.leave, { credentials: "include", ...form }).catch((error) => ({ status: String(error) }));
    return answer.ok ? "reached" : `nothing: ${answer.status}`;
  },
};
