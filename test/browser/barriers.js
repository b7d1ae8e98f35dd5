/** Evaluated in a page: what somebody with a screen reader, a keyboard or a small window would stumble over. */
(() => {
  const barriers = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const { documentElement, title } = document;

  if (documentElement.lang !== "en") barriers.push("no language");
  if (title.trim() === "") barriers.push("no title");
  for (const name of ["main", "h1"]) {
    if (all(name).length !== 1) barriers.push(`not one <${name}>`);
  }
  for (const input of all("input:not([type=hidden]), select, textarea")) {
    const label = [...input.labels].map((element) => element.innerText.trim()).join(" ");
    if (label === "") barriers.push(`no label: ${input.outerHTML}`);
  }
  for (const control of all("button, a[href]")) {
    if (control.textContent.trim() === "") barriers.push(`no text: ${control.outerHTML}`);
  }
  for (const image of all("img:not([alt])")) barriers.push(`no alt: ${image.outerHTML}`);
  for (const element of all("[aria-describedby], [aria-labelledby]")) {
    const ids = ["aria-describedby", "aria-labelledby"].flatMap((name) => element.getAttribute(name)?.split(" ") ?? []);
    for (const id of ids) if (!document.getElementById(id)) barriers.push(`described by nothing: ${id}`);
  }
  const ids = all("[id]").map(({ id }) => id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) barriers.push(`twice: #${id}`);
  for (const element of all("*")) {
    for (const { name } of element.attributes) if (name === "style" || name.startsWith("on")) barriers.push(`inline: ${element.outerHTML}`);
  }
  if (documentElement.scrollWidth > window.innerWidth) barriers.push("wider than the window");
  return barriers;
})();
