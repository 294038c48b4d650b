"use strict";
// Hovering over charts (or the arrow keys on one that has the focus) reads off the values there.
for (const figure of document.querySelectorAll("figure.chart[data-chart]")) {
  const chart = JSON.parse(document.getElementById(figure.dataset.chart).textContent);
  const svg = figure.querySelector("svg"), cursor = svg.querySelector(".cursor");
  const readout = figure.querySelector(".readout");
  const places = [...new Set(chart.series.flatMap((one) => one.x))].sort((a, b) => a - b);
  let at = -1;
  const round = (value) => value === null ? "–" : String(Number(value.toPrecision(4)));
  const show = (index) => {
    at = Math.max(0, Math.min(places.length - 1, index));
    const x = places[at], pixel = chart.left + (x - chart.low) / (chart.high - chart.low) * chart.width;
    cursor.setAttribute("x1", pixel);
    cursor.setAttribute("x2", pixel);
    cursor.removeAttribute("hidden");
    const values = chart.series.filter((one) => one.x.includes(x)).map(
      (one) => `${one.name || chart.y} ${round(one.y[one.x.indexOf(x)])}`);
    readout.textContent = `${chart.x} ${chart.names[x] ?? round(x)}: ${values.join(", ")}`;
  };
  if (!places.length) continue;
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const pixel = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    const x = chart.low + (pixel - chart.left) / chart.width * (chart.high - chart.low);
    let best = 0;
    places.forEach((place, i) => { if (Math.abs(place - x) < Math.abs(places[best] - x)) best = i; });
    show(best);
  });
  svg.addEventListener("keydown", (event) => {
    const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (!step) return;
    event.preventDefault();
    show(at < 0 ? 0 : at + step);
  });
}

// A cell under the pointer, or touched, is named below its picture.
for (const figure of document.querySelectorAll("figure.picture")) {
  const readout = figure.querySelector(".readout");
  if (!readout) continue;
  const tell = (event) => {
    const title = event.target.closest(".cells *")?.querySelector("title");
    if (title) readout.textContent = title.textContent;
  };
  figure.addEventListener("pointerover", tell);
  figure.addEventListener("click", tell);
}

// A box that is not ticked hides what it names in the element that it controls.
for (const box of document.querySelectorAll("input[type=checkbox][data-hides]")) {
  const apply = () => document.getElementById(box.getAttribute("aria-controls"))
    .classList.toggle("hide-" + box.dataset.hides, !box.checked);
  box.addEventListener("change", apply);
  apply();
}
