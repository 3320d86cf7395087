
// The request in code: with the address, the model, the parameters and the messages at hand. It never shows the key.
const TABS = {
  curl: ["curl", curl, "API_KEY is the variable of your shell that has your API key."],
  python: ["Python", python, "Install it with: pip install openai"],
  javascript: ["JavaScript", javascript, "Install it with: npm install openai. Save it as a file that ends with .mjs."],
  langchain: ["LangChain", langchain, "Install it with: pip install langchain-openai"],
};
const QUESTION = "What is your favourite condiment?";
let tab = "curl";

function asked() {
  const body = { model: chosen?.model ?? "MODEL", messages: messages($("question").value.trim()) };
  for (const name of ["temperature", "top_p", "max_tokens"]) {
    const field = $(name);
    if (field.value !== "" && field.validity.valid) body[name] = Number(field.value);
  }
  return body;
}

const needsKey = () => Boolean(chosen?.auth);
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const list = (all, indent) => `[\n${all.map((each) => `${indent}    ${spaced(each)},\n`).join("")}${indent}]`;
const spaced = ({ role, content }) => `{"role": ${JSON.stringify(role)}, "content": ${JSON.stringify(content)}}`;
const given = (body, write) => Object.entries(body).filter(([name]) => name !== "model" && name !== "messages").map(([name, value]) => write(name, value)).join("");

function curl(body) {
  return [
    `curl ${quoted(`${BASE}/v1/chat/completions`)}`,
    "  -H 'Content-Type: application/json'",
    ...(needsKey() ? ['  -H "Authorization: Bearer $API_KEY"'] : []),
    `  -d ${quoted(JSON.stringify(body, null, 2))}`,
  ].join(" \\\n");
}

function python(body) {
  return `${needsKey() ? "import os\n\n" : ""}from openai import OpenAI

client = OpenAI(base_url=${JSON.stringify(`${BASE}/v1`)}, api_key=${needsKey() ? 'os.environ["API_KEY"]' : '"none"'})
stream = client.chat.completions.create(
    model=${JSON.stringify(body.model)},
    messages=${list(body.messages, "    ")},
${given(body, (name, value) => `    ${name}=${value},\n`)}    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
print()`;
}

function javascript(body) {
  return `import OpenAI from "openai";

const client = new OpenAI({ baseURL: ${JSON.stringify(`${BASE}/v1`)}, apiKey: ${needsKey() ? "process.env.API_KEY" : '"none"'} });
const stream = await client.chat.completions.create({
  model: ${JSON.stringify(body.model)},
  messages: ${list(body.messages, "  ").replaceAll("\n      {", "\n    {")},
${given(body, (name, value) => `  ${name}: ${value},\n`)}  stream: true,
});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
console.log();`;
}

function langchain(body) {
  return `${needsKey() ? "import os\n\n" : ""}from langchain_openai import ChatOpenAI

model = ChatOpenAI(
    model=${JSON.stringify(body.model)},
    base_url=${JSON.stringify(`${BASE}/v1`)},
    api_key=${needsKey() ? 'os.environ["API_KEY"]' : '"none"'},
${given(body, (name, value) => `    ${name}=${value},\n`)})
for chunk in model.stream(${list(body.messages, "")}):
    print(chunk.content, end="", flush=True)
print()`;
}

function showCode() {
  const [, write, hint] = TABS[tab];
  $("code").textContent = write(asked());
  $("code-words").textContent = tab === "curl" ? (needsKey() ? hint : "") : needsKey() ? `${hint} ${TABS.curl[2]}` : hint;
  $("code").setAttribute("aria-labelledby", `tab-${tab}`);
  for (const button of $("tabs").children) {
    const here = button.id === `tab-${tab}`;
    button.setAttribute("aria-selected", here);
    button.tabIndex = here ? 0 : -1;
  }
}

function makeTabs() {
  const names = Object.keys(TABS);
  $("tabs").append(...names.map((name) => {
    const button = made("button", { type: "button", id: `tab-${name}` }, TABS[name][0]);
    button.setAttribute("role", "tab");
    button.setAttribute("aria-controls", "code");
    button.addEventListener("click", () => { tab = name; showCode(); });
    return button;
  }));
  $("tabs").addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -names.indexOf(tab), End: names.length - 1 - names.indexOf(tab) };
    if (!(event.key in steps)) return;
    event.preventDefault();
    tab = names[(names.indexOf(tab) + steps[event.key] + names.length) % names.length];
    showCode();
    $(`tab-${tab}`).focus();
  });
}
