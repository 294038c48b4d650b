// The page of `soma serve`: images go to the server that sent this page, and nowhere else.
const element = (id) => document.getElementById(id);
const classes = JSON.parse(element("classes").textContent);
const svgNode = (name) => document.createElementNS("http://www.w3.org/2000/svg", name);
let open = null, asked = 0;

const say = (words, wrong = false) => {
  element("status").textContent = words;
  element("status").classList.toggle("error", wrong);
};
const limits = () => `score=${element("score").value}&pixels=${element("pixels").value}`;

async function answer(response) {
  if (response.ok) return response.json();
  const words = await response.text();
  throw new Error(words.trim() || `the server answered ${response.status}`);
}

function draw(found) {
  const marks = element("marks"), legend = element("legend");
  marks.replaceChildren(...found.cells.map((cell) => {
    const path = svgNode("path"), title = svgNode("title");
    path.setAttribute("d", cell.path);
    path.setAttribute("class", `c${cell.class % 8}`);
    title.textContent = `${classes[cell.class]}, score ${cell.score.toFixed(2)}, ${cell.area} pixels`;
    path.append(title);
    return path;
  }));
  legend.replaceChildren(...Object.entries(found.counts).map(([name, count], i) => {
    const item = document.createElement("li"), swatch = document.createElement("span");
    swatch.className = `swatch c${i % 8}`;
    item.append(swatch, `${name}: ${count}`);
    return item;
  }));
  const count = found.cells.length;
  element("caption").textContent = `${open.name}: ${count} ${count === 1 ? "cell" : "cells"}`;
  for (const link of document.querySelectorAll("[data-file]"))
    link.href = `/images/${open.id}/${link.dataset.file}?${limits()}`;
}

async function update() {
  element("score-out").textContent = Number(element("score").value).toFixed(2);
  element("pixels-out").textContent = element("pixels").value;
  if (!open) return;
  const ticket = ++asked;
  try {
    const found = await answer(await fetch(`/images/${open.id}/cells.json?${limits()}`));
    if (ticket === asked) draw(found);
  } catch (error) {
    say(error.message, true);
  }
}

async function send(file) {
  say(`Looking for cells in ${file.name} …`);
  try {
    open = await answer(await fetch("/images", {
      method: "POST", body: file,
      headers: {"Content-Type": "application/octet-stream", "X-File-Name": encodeURIComponent(file.name)},
    }));
    const view = element("view"), image = svgNode("image");
    view.setAttribute("viewBox", `0 0 ${open.width} ${open.height}`);
    image.setAttribute("width", open.width);
    image.setAttribute("height", open.height);
    image.setAttribute("href", `/images/${open.id}/picture.png`);
    view.querySelector("image")?.remove();
    view.prepend(image);
    element("result").hidden = false;
    element("none").hidden = true;
    await update();
    say("Done.");
    element("cells").scrollIntoView();
  } catch (error) {
    say(error.message, true);
  }
}

for (const id of ["score", "pixels"]) element(id).addEventListener("input", update);
element("file").addEventListener("change", (event) => {
  if (event.target.files.length) send(event.target.files[0]);
  event.target.value = "";
});
const drop = element("drop");
for (const name of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) send(event.dataTransfer.files[0]);
  });
}
update();
