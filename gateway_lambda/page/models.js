
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
  const models = runs.filter(chats).sort((one, other) => (other.state === "ready") - (one.state === "ready"));
  const others = runs.filter((run) => !chats(run));
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
    : (models.length ? "" : runs.some((run) => run.model) ? "No model here writes text." : "This gateway has no models yet.");
  $("key-how").hidden = !closed;
  $("key-how").replaceChildren(...wayToKey());
  if (closed && !models.length) $("key-panel").open = true;
  showChosen();
}

// Models for embeddings and reranking answer no chats.
const chats = (run) => run.model && run.generates !== false;

function wayToKey() {
  if (/^(127\.|localhost$|\[::1])|\.localhost$/.test(location.hostname)) return [made("code", {}, "make local"), " shows the key when it starts."];
  return ["The person who runs the gateway gets a key for you with ", made("code", {}, "make key STACK=gateway ARGS=NAME"), "."];
}

function card(run) {
  const input = made("input", { type: "radio", name: "run", value: run.run, checked: run === chosen });
  input.addEventListener("change", () => { chosen = run; showChosen(); });
  const [title, why] = STATES[run.state] || STATES.unknown;
  const state = made("span", { className: `state ${run.state}`, title: why }, title);
  return made("label", { className: "model" }, input, made("b", {}, run.model), made("small", {}, state, ` · ${run.run}`), ...now(run));
}

// The lines of a card about the present: how far a start is, what failed, or what it costs and does.
function now(run) {
  if (run.state === "starting" && run.step) return [made("small", {}, stepOf(run)), ...bar(run)];
  if (run.problem) return [made("small", { className: "cut" }, run.problem)];
  const lines = [];
  if (run.instance_types) {
    const [first, ...others] = run.instance_types;
    lines.push([others.length ? `${first} +${others.length}` : first, price(run)].filter(Boolean).join(" · "));
  }
  if (run.state === "ready" && run.tokens_per_second) lines.push(tokens(run));
  return lines.map((line) => made("small", {}, line));
}

const stepOf = (run) => (run.percent === undefined ? run.step : `${run.step}, ${run.percent} %`);

function bar(run) {
  if (run.percent === undefined) return [];
  const shown = made("progress", { max: 100, value: run.percent });
  shown.setAttribute("aria-label", `Start of ${run.model}`);
  return [shown];
}

function price(run) {
  if (run.hourly_price === undefined) return "";
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: run.hourly_price < 0.1 ? 4 : 2 };
  return `${run.spot ? "up to " : ""}$${run.hourly_price.toLocaleString("en", digits)} an hour`;
}

function lately(run) {
  const { requests_per_second: requests, tokens_per_second: generated } = run;
  if (!requests && !generated) return "no requests";
  return [requests !== undefined && amount(requests * 60, "request"), generated !== undefined && tokens(run)].filter(Boolean).join(", ");
}

// Of a second, or of the last minute where that would be less than one.
const tokens = ({ tokens_per_second: each }) => (each >= 1 ? `${amount(each, "token")} a second` : amount(each * 60, "token"));

function amount(number, unit) {
  const shown = number.toLocaleString("en", { maximumFractionDigits: number < 9.95 && unit === "token" ? 1 : 0 });
  return `${shown} ${unit}${shown === "1" ? "" : "s"}`;
}

function service(run) {
  const link = made("a", { href: run.url + "/", target: "_blank", rel: "noopener noreferrer" }, run.run);
  const [title, why] = STATES[run.state] || STATES.unknown;
  const model = run.model ? [" ", made("small", {}, run.model)] : [];
  return made("li", {}, link, " ", made("span", { className: `state ${run.state}`, title: why }, title), ...model);
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
  const state = run.step ? `${title}: ${stepOf(run)}` : run.state === "ready" ? title : `${title}. ${why}`;
  const shown = [["State", state]];
  if (run.problem) shown.push(["Last problem", made("span", { className: "bad" }, run.problem)]);
  shown.push(["Run", run.run], ["Address", made("code", {}, run.url)]);
  if (run.instance_types) shown.push(["Runs on", machines(run)]);
  else if (run.same_machine) shown.push(["Runs on", "this machine"]);
  if (run.served_model) shown.push(["Its server says", `it serves ${run.served_model}`]);
  if (run.context_length) shown.push(["Context", `${run.context_length.toLocaleString("en")} tokens`]);
  if (run.capabilities) shown.push(["Can do", run.capabilities.join(", ")]);
  if (run.replicas) shown.push(["Replicas", `${run.replicas.ready} of ${run.replicas.count} ready`]);
  if (run.requests_per_second !== undefined || run.tokens_per_second !== undefined) shown.push(["Last minute", lately(run)]);
  if (run.min_replicas === 0) shown.push(["When idle", "sleeps"]);
  shown.push(["API key", run.auth ? "needed" : "not needed"]);
  return shown;
}

function machines(run) {
  const [first, second, ...rest] = run.instance_types;
  const types = [first, second, rest.length && `${rest.length} more`].filter(Boolean).join(" or ");
  return run.hourly_price === undefined ? types : `${types}, ${price(run)} for each replica`;
}
