// What the tests do with the gateway's page, in a browser.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const { GATEWAY, KEY, CHROMIUM, PICTURES, HOME } = process.env;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 360, height: 740 };
// The certificate of the test's gateway is its own.
const FLAGS = ["--no-sandbox", "--ignore-certificate-errors", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage"];

// Opens the page. It must log no error of its own, and send no request to another origin.
async function opened(work, { at = GATEWAY, ...options } = {}) {
  const rule = `--host-resolver-rules=MAP ${new URL(at).host} ${new URL(GATEWAY).host}`;
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: at === GATEWAY ? FLAGS : [...FLAGS, rule] });
  try {
    const context = await browser.newContext({ viewport: DESKTOP, reducedMotion: "reduce", ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(45000);
    const problems = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (line) => {
      if (line.type() === "error" && !line.text().startsWith("Failed to load resource")) problems.push(line.text());
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(at) && !request.url().startsWith("data:")) problems.push(request.url());
    });
    await page.goto(`${at}/`);
    await page.waitForFunction(() => document.querySelector("#list-hint").textContent !== "Loading …");
    const found = await work(page, context);
    if (problems.length) throw new Error(problems.join("\n"));
    return found;
  } finally {
    await browser.close();
  }
}

const text = (page, selector) => page.locator(selector).innerText();
const texts = (page, selector) => page.locator(selector).allInnerTexts();
const choose = (page, model) => page.getByRole("radio", { name: model }).check();
const facts = async (page) =>
  Object.fromEntries(await page.locator("#facts div").evaluateAll((all) => all.map((each) => [...each.children].map((one) => one.textContent))));

async function ask(page, question) {
  await page.getByLabel("Question").fill(question);
  await page.getByRole("button", { name: "Send", exact: true }).click();
}

async function answered(page, number = 1) {
  await page.locator(".figures").nth(number - 1).waitFor();
}

// From now on, the page's clock says half a second more each time that it is read, and its timers never end.
const holdTime = (page) =>
  page.evaluate(() => {
    let now = 0;
    performance.now = () => (now += 500);
    window.setTimeout = () => 0;
  });

async function useKey(page, key, keep) {
  if (!(await page.locator("#key").isVisible())) await page.locator("#key-panel summary").click();
  await page.getByLabel("Your API key").fill(key);
  await page.getByLabel("Keep it in this browser").setChecked(keep);
  await Promise.all([page.waitForResponse((each) => each.url().endsWith("/runs")), page.getByRole("button", { name: "Use key" }).click()]);
  await page.waitForFunction(() => !document.querySelector("#refresh").disabled);
}

async function violations(page) {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const found = await window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
    return found.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(" ")}`);
  });
}

export const chat = () =>
  opened(async (page) => {
    await holdTime(page);
    await choose(page, "org/second");
    await page.getByLabel("System prompt").fill("Be brief.");
    await page.getByLabel("Temperature").fill("0.5");
    await page.getByLabel("Top p").fill("0.9");
    await page.getByLabel("Max tokens").fill("64");
    await ask(page, "Hi");
    await answered(page);
    await page.getByLabel("Question").fill("And now?");
    await page.getByLabel("Question").press("Enter");
    await answered(page, 2);
    const [figures] = await texts(page, ".figures");
    const before = (await facts(page))["Last minute"];
    await Promise.all([page.waitForResponse((each) => each.url().endsWith("/runs")), page.getByRole("button", { name: "Refresh" }).click()]);
    await page.waitForFunction(() => !document.querySelector("#refresh").disabled);
    const roles = (await page.locator("#code").textContent()).match(/(?<="role": ")\w+/g);
    return { turns: await texts(page, ".turn .text"), figures, before, roles, facts: await facts(page), told: await text(page, "#told") };
  });

export const models = () =>
  opened(async (page) => ({
    models: await texts(page, ".model"),
    services: await texts(page, "#services li"),
    links: await page.locator("#services a").evaluateAll((all) => all.map((each) => [each.href, each.rel])),
    hint: await text(page, "#list-hint"),
  }));

// The card and the facts of each model.
export const states = () =>
  opened(async (page) => {
    const found = {};
    for (const [number, card] of (await texts(page, ".model")).entries()) {
      await page.locator(".model").nth(number).click();
      const bars = await page.locator(".model").nth(number).locator("progress").evaluateAll((all) => all.map((each) => [each.value, each.getAttribute("aria-label")]));
      found[card.split("\n")[0]] = [card.split("\n").slice(1), await facts(page), ...bars];
    }
    const wrong = [];
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      for (const model of ["fails", "starts"]) {
        await choose(page, model);
        wrong.push(...(await violations(page)));
      }
    }
    await choose(page, "starts");
    await ask(page, "Hi");
    await page.locator(".problem").waitFor();
    return { found, wrong, asked: (await texts(page, ".problem p"))[0] };
  });

// Where the cursor is when the page has opened.
export const cursor = async () => {
  const where = (page) => page.waitForFunction(() => document.activeElement !== document.body).then(() => page.evaluate(() => document.activeElement.id));
  const desktop = await opened(async (page) => {
    const at = await where(page);
    await page.keyboard.type("Hi");
    await page.keyboard.press("Enter");
    await answered(page);
    return [at, await texts(page, ".turn .text")];
  });
  const phone = await opened((page) => page.evaluate(() => document.activeElement.tagName), { viewport: PHONE, hasTouch: true, isMobile: true });
  return { desktop, phone };
};

export const stop = () =>
  opened(async (page) => {
    await ask(page, "Count");
    await page.waitForFunction(() => document.querySelector(".assistant .text")?.textContent === "one two");
    const sending = await page.locator("#send").isVisible();
    await page.getByRole("button", { name: "Stop" }).click();
    await answered(page);
    const figures = (await text(page, ".figures")).split(" · ");
    return { sending, figures: [figures[0], figures[1]], text: await text(page, ".assistant .text"), again: await page.locator("#send").isVisible() };
  });

export const keys = () =>
  opened(async (page) => {
    await page.waitForFunction(() => document.activeElement.id === "key");
    const seen = [[await texts(page, ".model b"), await text(page, "#list-hint"), await text(page, "#key-how")]];
    await useKey(page, "sk-wrong", false);
    seen.push([await texts(page, ".model b"), await text(page, "#list-problem"), await text(page, "#key-state")]);
    await useKey(page, KEY, false);
    seen.push([await texts(page, ".model b"), await text(page, "#key-state"), await page.locator("#key-how").isVisible()]);
    await ask(page, "Hi");
    await answered(page);
    const kept = () => page.evaluate(() => Object.values(localStorage));
    const before = await kept();
    await useKey(page, KEY, true);
    await page.reload();
    await page.locator(".model").waitFor();
    const after = await kept();
    const shown = await page.content();
    await page.getByText("API key", { exact: false }).first().click();
    if (!(await page.locator("#key").isVisible())) await page.locator("#key-panel summary").click();
    await page.getByRole("button", { name: "Forget" }).click();
    await page.locator(".model").waitFor({ state: "detached" });
    return { seen, before, after, forgotten: await kept(), inPage: shown.includes(KEY) };
  });

// At an address that is not this machine.
export const wayToKey = () => opened((page) => text(page, "#key-how"), { at: "https://gateway.example.com" });

export const problems = () =>
  opened(async (page) => {
    const said = {};
    for (const model of ["asleep", "gone", "busy", "breaks"]) {
      await choose(page, model);
      const state = (await facts(page)).State;
      await ask(page, "Hi");
      await page.locator(".problem").waitFor();
      const [words, details] = await texts(page, ".problem p");
      said[model] = [state, words, details.replace(/req_[0-9a-f]+/, "req_ID"), await text(page, "#conversation")];
      await page.getByRole("button", { name: "New chat" }).click();
    }
    await page.route("**/v1/chat/completions", (route) => route.abort());
    await choose(page, "busy");
    await ask(page, "Hi");
    await page.locator(".problem").waitFor();
    said.network = (await texts(page, ".problem p"))[0];
    await page.unroute("**/v1/chat/completions");
    await choose(page, "well");
    await page.getByRole("button", { name: "Try again" }).click();
    await answered(page);
    said.after = await texts(page, ".turn .text");
    said.left = await page.locator(".problem").count();
    return said;
  });

export const markup = () =>
  opened(async (page) => {
    await ask(page, "<b>Hi</b>");
    await answered(page);
    return { turns: await texts(page, ".turn .text"), elements: await page.locator(".turn .text *").count(), models: await texts(page, ".model b"), images: await page.locator("img, .model script").count() };
  });

export const code = () =>
  opened(async (page) => {
    if (KEY && (await page.locator("#key-panel").isVisible())) await useKey(page, KEY, false);
    await page.getByLabel("System prompt").fill("It's \"brief\" $HOME `x` \\ ü");
    await page.getByLabel("Temperature").fill("0.5");
    await ask(page, "Hi");
    await answered(page);
    await page.getByLabel("Question").fill("It's me\nagain");
    const found = {};
    await page.getByRole("tab", { name: "curl" }).focus();
    for (const name of ["curl", "Python", "JavaScript", "LangChain"]) {
      found[name] = await page.locator("#code").textContent();
      found[`${name} selected`] = await page.getByRole("tab", { selected: true }).innerText();
      await page.keyboard.press("ArrowRight");
    }
    return found;
  });

export const wrong = () =>
  opened(async (page) => {
    await page.getByLabel("Temperature").fill("3");
    await page.locator("#ideas button").first().click();
    const turns = await texts(page, ".turn");
    const invalid = await page.locator("#settings :invalid").evaluateAll((all) => all.map((each) => each.id));
    await page.getByLabel("Temperature").fill("0.123");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await answered(page);
    return { turns, invalid, after: await texts(page, ".turn .text") };
  });

export const copied = () =>
  opened(async (page) => {
    await holdTime(page);
    await page.getByRole("tab", { name: "Python" }).click();
    await page.locator("#copy-code").click();
    await page.locator("#copy-code", { hasText: "Copied" }).waitFor();
    return (await page.evaluate(() => navigator.clipboard.readText())) === (await page.locator("#code").textContent());
  }, { permissions: ["clipboard-read", "clipboard-write"] });

// Tab alone reaches the question, Enter sends it, and the answer is told to a screen reader. On a phone, nothing has the
// focus at first.
export const keyboard = () =>
  opened(async (page) => {
    const reached = [];
    for (const key of ["Tab", "Enter"]) {
      await page.keyboard.press(key);
      reached.push(await page.evaluate(() => document.activeElement.id || document.activeElement.className));
    }
    await page.keyboard.type("Hi");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("there");
    await page.keyboard.press("Enter");
    await answered(page);
    return { reached, turns: await texts(page, ".turn .text"), told: (await text(page, "#told")).split(": ")[0] };
  }, { hasTouch: true, isMobile: true });

export const phone = () =>
  opened(async (page) => {
    await ask(page, "A-word-that-is-long-".repeat(20));
    await answered(page);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    const box = await page.locator("#send").boundingBox();
    return { wide, tall: box.height >= 44, settings: await page.locator("#settings").evaluate((each) => each.open) };
  }, { viewport: PHONE, hasTouch: true, isMobile: true });

export const accessible = () =>
  opened(async (page) => {
    const found = {};
    for (const [name, colorScheme, size] of [["light", "light", DESKTOP], ["dark", "dark", DESKTOP], ["phone", "light", PHONE]]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize(size);
      await page.reload();
      await page.locator("#services li").waitFor();
      const all = [...(await violations(page))];
      await page.locator("#key-panel summary").click();
      await ask(page, "Hi");
      await answered(page);
      await choose(page, "gone");
      await ask(page, "Hi");
      await page.locator(".problem").waitFor();
      all.push(...(await violations(page)));
      found[name] = { all, back: await page.evaluate(() => getComputedStyle(document.body).backgroundColor) };
    }
    return found;
  });

// The API of AWS passes on what stands behind `/live`.
export const addresses = () =>
  opened(async (page) => {
    const stage = `${GATEWAY}/live`;
    const passed = (route) => route.continue({ url: GATEWAY + (route.request().url().slice(stage.length) || "/") });
    await page.route((url) => url.pathname.startsWith("/live"), passed);
    const found = {};
    for (const path of ["/v1", "/v1/", "//", "/live", "/live/", "/live/v1"]) {
      await page.goto(GATEWAY + path);
      await page.locator(".model").waitFor();
      await ask(page, "Hi");
      await answered(page);
      found[path] = [await text(page, "#base"), await text(page, ".assistant .text")];
    }
    return found;
  });

// The gateway's address differs each time; in the pictures it is that of `make local`, or one on AWS.
export const picturesHere = () => pictures("http://127.0.0.1:8000", { page: {}, "page-dark": { colorScheme: "dark" } });
export const picturesOnAws = () => pictures("https://gateway.example.com", { "page-aws": {}, "page-phone": { viewport: PHONE, deviceScaleFactor: 2 } });

async function pictures(at, looks) {
  const folder = PICTURES || HOME;
  const taken = {};
  for (const [name, options] of Object.entries(looks)) {
    await opened(async (page) => {
      await ask(page, "What is your favourite condiment?");
      await answered(page);
      if (name === "page-dark") await page.getByRole("tab", { name: "Python" }).click();
      await page.evaluate(() => {
        document.activeElement.blur();
        scrollTo(0, 0);
      });
      const data = await page.screenshot({ path: `${folder}/${name}.png` });
      taken[name] = [data.readUInt32BE(16), data.readUInt32BE(20), data.length < 250000];
    }, { ...options, at });
  }
  return taken;
}
