/** Buttons that copy what another element says. */
for (const button of document.querySelectorAll("button[data-copy]")) {
  const status = button.parentElement.querySelector("[role=status]");
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    status.textContent = "Copied";
  });
}
