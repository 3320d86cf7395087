
// What goes wrong, in plain words.
const STATES = {
  ready: ["Ready", "A replica answers."],
  starting: ["Starting", "A replica starts. It does not answer yet."],
  asleep: ["Asleep", "It has no replica now. A request starts one, which takes some minutes."],
  down: ["Not up", "No replica can be reached. It may be starting, or it has stopped."],
  failing: ["Failing", "Its replicas fail."],
  unknown: ["Not known", "The gateway cannot tell without a request."],
};

function words(problem, model) {
  if (!(problem instanceof Refused)) {
    return "The browser cannot reach the gateway. Check your network, and that the gateway is running.";
  }
  const wait = problem.wait ? ` Try again in ${problem.wait} s.` : " Try again shortly.";
  const { status, code } = problem;
  if (status === 401) {
    return apiKey
      ? "The gateway does not know this API key. Check it, or ask the person who runs the gateway for one."
      : "This needs an API key. Enter yours under “API key”.";
  }
  if (code === "model_not_found") return "This model is gone, or your API key cannot use it. Refresh the list of models.";
  if (code === "context_length_exceeded") return "The conversation is too long for this model. Start a new chat, or ask for fewer tokens.";
  if (code === "rate_limit_exceeded") return `The limit of requests is reached.${wait}`;
  if (status === 429) return `The model has too much to do.${wait}`;
  if (status === 502 || status === 503) {
    if (model?.state === "starting") return `The model is starting${model.step ? `: ${stepOf(model)}` : ""}. Try again when it is ready.`;
    if (model?.state === "asleep" || model?.min_replicas === 0) {
      return "The model is asleep or starting. Your request wakes it, which takes some minutes. Then try again.";
    }
    return `The model cannot be reached. It may be starting, or it has stopped.${wait}`;
  }
  if (status === 504) return "The answer took too long. Ask for fewer tokens, or try again.";
  if (status === 400) return "The gateway refuses this request.";
  if (status >= 500 || status === 200) return "The model failed before its answer was complete. Try again.";
  return `The gateway refuses this request (status ${status}).`;
}

function details(problem) {
  if (!(problem instanceof Refused)) return String(problem.message || problem);
  const more = [problem.code, problem.status !== 200 && `status ${problem.status}`, problem.id].filter(Boolean);
  return `${problem.message} (${more.join(", ")})`;
}
