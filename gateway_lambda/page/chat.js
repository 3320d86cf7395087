
// The conversation. `turns` are the turns that count; the last one may be a question that has no answer yet.
let turns = [];
let stopping = null;

// The messages of the next request, with the question `draft`; without one, those of the last request.
function messages(draft) {
  const system = $("system").value.trim();
  const dropped = draft ? "user" : "assistant";
  const answered = turns.at(-1)?.role === dropped ? turns.slice(0, -1) : turns;
  const all = [...(system ? [{ role: "system", content: system }] : []), ...answered.map(({ role, content }) => ({ role, content }))];
  if (draft || !all.some((each) => each.role === "user")) all.push({ role: "user", content: draft || QUESTION });
  return all;
}

function ask(text) {
  if (turns.at(-1)?.role === "user") turns.pop().element.classList.add("unanswered");
  document.querySelectorAll(".problem button").forEach((button) => button.remove());
  turns.push({ role: "user", content: text, element: shown("user", "You", text) });
  answer();
}

function shown(role, who, text) {
  const element = made("div", { className: `turn ${role}` }, made("div", { className: "who" }, who), made("div", { className: "text" }, text));
  $("conversation").append(element);
  element.scrollIntoView({ block: "nearest" });
  $("ideas").hidden = true;
  return element;
}

async function answer() {
  const model = chosen;
  const body = { ...asked(), model: model.model, messages: messages(""), stream: true, stream_options: { include_usage: true } };
  const element = shown("assistant writing", model.model, "");
  const text = element.lastElementChild.appendChild(document.createTextNode(""));
  const seen = { since: performance.now(), first: 0, last: 0, pieces: 0, tokens: null, finish: null };
  stopping = new AbortController();
  showBusy(true);
  let problem = null;
  try {
    const options = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal: stopping.signal };
    for await (const event of events(await request("/v1/chat/completions", options))) take(event, text, element, seen);
  } catch (caught) {
    problem = caught;
  }
  const stopped = stopping.signal.aborted;
  stopping = null;
  element.classList.remove("writing");
  showBusy(false);
  if (problem && !stopped) fail(problem, model, element, text);
  else finish(text, element, seen, stopped);
  showCode();
}

function take(event, text, element, seen) {
  if (event.usage) seen.tokens = event.usage.completion_tokens;
  const choice = event.choices?.[0];
  if (!choice) return;
  if (choice.finish_reason) seen.finish = choice.finish_reason;
  const thought = choice.delta?.reasoning_content ?? choice.delta?.reasoning;
  const said = choice.delta?.content;
  if (!thought && !said) return;
  seen.last = performance.now();
  seen.first ||= seen.last;
  seen.pieces += 1;
  const log = $("conversation");
  const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  if (thought) thoughts(element).append(thought);
  if (said) text.appendData(said);
  if (follows) log.scrollTop = log.scrollHeight;
}

function thoughts(element) {
  const there = element.querySelector("details div");
  if (there) return there;
  const box = made("div", {});
  element.insertBefore(made("details", {}, made("summary", {}, "Reasoning"), box), element.lastElementChild);
  return box;
}

function finish(text, element, seen, stopped) {
  if (text.data) turns.push({ role: "assistant", content: text.data, element });
  const figures = counted(seen);
  if (stopped) figures.unshift("Stopped");
  else if (seen.finish === "length") figures.unshift("Ended at the limit of tokens");
  element.append(made("div", { className: "figures" }, figures.join(" · ")));
  $("conversation").scrollTop = $("conversation").scrollHeight;
  tell(`${stopped ? "Stopped" : "The answer is complete"}: ${figures.join(", ")}. ${text.data}`);
  clearTimeout(looking);
  looking = setTimeout(look, 10000); // shows what the run did in the last minute
}

// A stopped answer brings no count of its tokens. Then the pieces of the stream are counted, which are about as many.
function counted(seen) {
  if (!seen.first) return seen.tokens === null ? [] : [`${seen.tokens} tokens`];
  const tokens = seen.tokens ?? seen.pieces;
  const shown = [`${seen.tokens === null ? "about " : ""}${tokens} ${tokens === 1 ? "token" : "tokens"}`];
  shown.push(`first token after ${((seen.first - seen.since) / 1000).toFixed(2)} s`);
  const seconds = (seen.last - seen.first) / 1000;
  if (tokens > 1 && seconds > 0) shown.push(`${((tokens - 1) / seconds).toFixed(1)} tokens a second`);
  return shown;
}

function fail(problem, model, element, text) {
  const box = made("div", { className: "problem" }, made("p", {}, words(problem, model)), made("p", { className: "said" }, details(problem)));
  box.setAttribute("role", "alert");
  const again = made("button", { type: "button", className: "quiet" }, "Try again");
  again.addEventListener("click", () => { box.remove(); element.remove(); answer(); });
  box.append(again);
  $("conversation").append(box);
  if (!text.data) element.remove();
  box.scrollIntoView({ block: "nearest" });
  if (problem.status === 401) $("key-panel").open = true;
  if (problem.status === 502 || problem.status === 503) waking.add(model.run);
  look();
}

function showBusy(busy) {
  $("send").hidden = busy;
  $("stop").hidden = !busy;
  $("clear").disabled = busy;
  $("conversation").setAttribute("aria-busy", busy);
  if (busy) tell("The model answers.");
}

function newChat() {
  turns = [];
  $("conversation").replaceChildren();
  $("ideas").hidden = false;
  showCode();
  $("question").focus();
}
