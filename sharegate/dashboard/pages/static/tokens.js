// A token is in this page until it is taken away, and in no store of the browser.

const panel = document.getElementById("secret");
const value = document.getElementById("secret-value");

document.getElementById("new-token").addEventListener("called", (event) => {
  value.value = event.detail.secret;
  panel.hidden = false;
  document.getElementById("secret-title").focus();
});

value.addEventListener("focus", () => value.select());

function gone() {
  value.value = "";
  panel.hidden = true;
}
document.getElementById("secret-gone").addEventListener("click", gone);
// Neither is it there when somebody comes back to the page.
addEventListener("pagehide", gone);
