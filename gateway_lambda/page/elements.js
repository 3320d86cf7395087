
// Elements of the page. All text is set as text, so nothing that a model or the gateway says becomes HTML.
const $ = (id) => document.getElementById(id);

function made(tag, fields, ...children) {
  const element = Object.assign(document.createElement(tag), fields);
  element.append(...children);
  return element;
}

const tell = (words) => { $("told").textContent = words; };

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    tell("Copied");
  } catch {
    // Browsers give the clipboard only to pages that came by HTTPS or from this machine.
    button.textContent = "Select and copy it";
    tell("The browser does not let this page copy. Select the text and copy it.");
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}
