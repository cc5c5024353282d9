// Applies the stored choice of theme before the first paint; src/theme.ts changes it.
try {
  var theme = localStorage.getItem("evalx.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch (_) {
  // Storage is switched off: the system's theme it is.
}
