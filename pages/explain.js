// The sliders of `soma explain`.
const watch = (id, apply) => {
  const input = document.getElementById(id);
  if (!input) return;
  input.addEventListener("input", () => apply(input.value));
  apply(input.value);
};

watch("score", (value) => {
  let shown = 0;
  for (const mark of document.querySelectorAll("#result [data-score]")) {
    const visible = Number(mark.dataset.score) > Number(value);
    mark.toggleAttribute("hidden", !visible);
    shown += visible;
  }
  document.getElementById("score-out").textContent = Number(value).toFixed(2);
  document.getElementById("score-count").textContent = shown === 1 ? "1 cell" : `${shown} cells`;
});

watch("rank", (value) => {
  for (const box of document.querySelectorAll("[data-rank]"))
    box.toggleAttribute("hidden", Number(box.dataset.rank) >= Number(value));
  document.getElementById("rank-out").textContent = value;
});

watch("anchor-cell", (value) => {
  for (const group of document.querySelectorAll(".anchors"))
    group.toggleAttribute("hidden", group.dataset.cell !== value);
});

// Logits as colours, red below the threshold and green above it; the outline's cells are full.
const masks = [...document.querySelectorAll("canvas.mask")].map((canvas) => ({
  context: canvas.getContext("2d"),
  side: canvas.width,
  logits: JSON.parse(canvas.dataset.logits).map((tenths) => tenths / 10),
}));
watch("mask", (value) => {
  const threshold = Math.log(value / (1 - value));
  for (const {context, side, logits} of masks) {
    const picture = context.createImageData(side, side);
    logits.forEach((logit, i) => {
      const strength = Math.min(1, Math.abs(logit - threshold) / 6), light = 235 - 170 * strength;
      picture.data.set(logit >= threshold ? [light * 0.4, 235, light * 0.5, 255]
                                          : [235, light * 0.5, light * 0.5, 255], 4 * i);
    });
    context.putImageData(picture, 0, 0);
  }
  document.getElementById("mask-out").textContent = Number(value).toFixed(2);
});
