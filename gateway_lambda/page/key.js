
// The API key: in this tab, and in this browser's storage if the user wants that.
const STORED = "servestack-api-key";
let apiKey = stored();

function stored(...value) {
  try {
    if (!value.length) return localStorage.getItem(STORED)?.match(/^[!-~]+$/)?.[0] ?? "";
    if (value[0]) localStorage.setItem(STORED, value[0]);
    else localStorage.removeItem(STORED);
  } catch { /* the browser keeps nothing for this page */ }
  return "";
}

function useKey(text, keep) {
  if (/[^!-~]/.test(text)) {
    $("key").setCustomValidity("An API key has no spaces, and only letters, digits and signs of ASCII.");
    $("key").reportValidity();
    return;
  }
  apiKey = text;
  stored(keep ? text : "");
  $("key").value = "";
  tell(text ? "The page uses the API key." : "The page has forgotten the API key.");
  if (!text) $("keep").checked = false;
  look();
}

function showKeyState(found) {
  const kept = apiKey && stored() ? "kept in this browser" : "in this tab";
  $("key-state").textContent = apiKey ? (found.api_key === "known" ? kept : "not known here") : found.needs_api_key ? "" : "not needed";
  $("keep").checked = Boolean(stored());
  $("forget").disabled = !apiKey;
}
