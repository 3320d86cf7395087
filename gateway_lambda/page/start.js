
// What the user does.
$("base").textContent = `${BASE}/v1`;
$("copy-base").addEventListener("click", (event) => copy(`${BASE}/v1`, event.target));
$("refresh").addEventListener("click", look);
$("clear").addEventListener("click", newChat);
$("copy-code").addEventListener("click", (event) => copy($("code").textContent, event.target));
$("stop").addEventListener("click", () => { stopping?.abort(); $("question").focus(); });
$("forget").addEventListener("click", () => useKey("", false));
$("key").addEventListener("input", () => $("key").setCustomValidity(""));
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey($("key").value.trim() || apiKey, $("keep").checked);
});
$("ideas").addEventListener("click", (event) => {
  if (event.target.tagName !== "BUTTON") return;
  $("question").value = event.target.textContent;
  send();
});
for (const name of ["question", "system", "temperature", "top_p", "max_tokens"]) $(name).addEventListener("input", showCode);

function send() {
  if (stopping || !chosen) return;
  const wrong = ["temperature", "top_p", "max_tokens"].map($).find((field) => !field.validity.valid);
  if (wrong) {
    $("settings").open = true;
    wrong.reportValidity();
    return;
  }
  const text = $("question").value.trim();
  if (!text) return;
  $("question").value = "";
  $("question").focus();
  ask(text);
}

$("ask").addEventListener("submit", (event) => { event.preventDefault(); send(); });
$("question").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
$("settings").open = matchMedia("(min-width: 52rem)").matches;
makeTabs();
showChosen();
await look();
// With a keyboard, the user can write at once. On a phone, this would open the keyboard over the page.
if (document.activeElement === document.body && matchMedia("(hover: hover) and (pointer: fine)").matches) $(chosen ? "question" : "key").focus();
