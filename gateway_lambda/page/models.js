
// The list of models, which one is chosen, and what is known of it.
let runs = [];
let chosen = null;
let looking = null;
const waking = new Set(); // runs that a request of this page found without a replica

async function look() {
  clearTimeout(looking);
  $("refresh").disabled = true;
  try {
    const found = await (await request("/runs")).json();
    runs = found.data;
    showProblem(found.api_key === "unknown" && apiKey ? words(new Refused(401, {}), null) : "");
    showKeyState(found);
    showRuns(found);
  } catch (problem) {
    showProblem(words(problem, null));
    $("list-hint").textContent = "";
  }
  $("refresh").disabled = false;
  // A function bills each question, so only a page that somebody sees asks again, and only while a model may be starting.
  if (runs.some((run) => run.model && run.state !== "ready" && (run.state !== "asleep" || waking.has(run.run)))) {
    looking = setTimeout(() => (document.hidden ? document.addEventListener("visibilitychange", look, { once: true }) : look()), 15000);
  }
}

function showProblem(text) {
  if ($("list-problem").textContent !== text) $("list-problem").textContent = text;
  $("list-problem").hidden = !text;
}

function showRuns(found) {
  const models = runs.filter((run) => run.model);
  const others = runs.filter((run) => !run.model);
  const before = chosen?.run;
  chosen = models.find((run) => run.run === before) || models.find((run) => run.state === "ready") || models[0] || null;
  const focused = document.activeElement?.name === "run" ? document.activeElement.value : null;
  $("models").replaceChildren($("models").firstElementChild, ...models.map(card));
  if (focused) document.querySelector(`input[name=run][value="${CSS.escape(focused)}"]`)?.focus();
  $("services").hidden = !others.length;
  $("services").lastElementChild.replaceChildren(...others.map(service));
  const closed = found.needs_api_key && found.api_key !== "known";
  $("list-hint").textContent = closed
    ? (models.length ? "Other models may need an API key." : "The models here need an API key. Enter yours under “API key”.")
    : (models.length ? "" : "This gateway has no models yet.");
  if (closed && !models.length) $("key-panel").open = true;
  showChosen();
}

function card(run) {
  const input = made("input", { type: "radio", name: "run", value: run.run, checked: run === chosen });
  input.addEventListener("change", () => { chosen = run; showChosen(); });
  const [title, why] = STATES[run.state] || STATES.unknown;
  const state = made("span", { className: `state ${run.state}`, title: why }, title);
  return made("label", { className: "model" }, input, made("b", {}, run.model), made("small", {}, state, ` · ${run.run}`));
}

function service(run) {
  const link = made("a", { href: run.url + "/", target: "_blank", rel: "noopener noreferrer" }, run.run);
  const [title, why] = STATES[run.state] || STATES.unknown;
  return made("li", {}, link, " ", made("span", { className: `state ${run.state}`, title: why }, title));
}

function showChosen() {
  $("chat-title").textContent = chosen ? `Chat with ${chosen.model}` : "Chat";
  $("send").disabled = !chosen;
  $("facts").hidden = !chosen;
  if (chosen) $("facts").replaceChildren(...facts(chosen).map(([name, value]) => made("div", {}, made("dt", {}, name), made("dd", {}, value))));
  showCode();
}

function facts(run) {
  const [title, why] = STATES[run.state] || STATES.unknown;
  const shown = [["State", run.state === "ready" ? title : `${title}. ${why}`], ["Run", run.run], ["Address", made("code", {}, run.url)]];
  if (run.served_model) shown.push(["Its server says", `it serves ${run.served_model}`]);
  if (run.context_length) shown.push(["Context", `${run.context_length.toLocaleString("en")} tokens`]);
  if (run.capabilities) shown.push(["Can do", run.capabilities.join(", ")]);
  if (run.replicas) shown.push(["Replicas", `${run.replicas.ready} of ${run.replicas.count} ready`]);
  if (run.min_replicas === 0) shown.push(["When idle", "sleeps"]);
  shown.push(["API key", run.auth ? "needed" : "not needed"]);
  return shown;
}
