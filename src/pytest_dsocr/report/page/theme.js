// Light or dark: as the system has it, until the reader says otherwise.

const THEMES = { "": "system", light: "light", dark: "dark" };

function themeButton(button) {
  const keep = (theme) => {
    try {
      localStorage.setItem("dsocr-theme", theme);
    } catch { /* where nothing is kept, it holds until the page is closed */ }
  };
  const kept = () => {
    try {
      return localStorage.getItem("dsocr-theme") ?? "";
    } catch {
      return "";
    }
  };
  const set = (theme) => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    button.textContent = `Theme: ${THEMES[theme]}`;
  };
  let theme = kept() in THEMES ? kept() : "";
  set(theme);
  button.hidden = false;
  button.addEventListener("click", () => {
    const names = Object.keys(THEMES);
    theme = names[(names.indexOf(theme) + 1) % names.length];
    set(theme);
    keep(theme);
  });
}
