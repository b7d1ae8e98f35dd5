/// <reference lib="dom" />

/** Buttons that copy what the element named by their `data-copy` says. */
for (const button of document.querySelectorAll("button[data-copy]")) {
  const source = document.getElementById(button.getAttribute("data-copy"));
  const status = button.parentElement.querySelector("[role=status]");
  button.hidden = false;
  button.addEventListener("click", () => {
    navigator.clipboard.writeText(source.textContent).then(
      () => (status.textContent = "Copied"),
      () => (status.textContent = "Select it, and copy it by hand"),
    );
  });
}
