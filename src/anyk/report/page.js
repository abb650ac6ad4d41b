"use strict";
// Pointing at a mark, or stepping to it with the arrow keys, tells about it below its chart; the legend dims the others.
for (const figure of document.querySelectorAll("figure.live")) {
  const chart = figure.querySelector(".chart"), told = figure.querySelector(".told"), hint = told.textContent;
  const inTime = (group) => [...group.querySelectorAll(".bar")].sort((one, other) => one.dataset.at - other.dataset.at);
  const bars = [...[...chart.querySelectorAll(".lane")].flatMap(inTime), ...chart.querySelectorAll(".plot > .bar")];
  let at = -1;
  for (const bar of bars) {
    const title = bar.querySelector("title");
    bar.dataset.told = title.textContent;
    title.remove(); // the browser's own tip would say it twice
  }
  const lit = () => bars.map((_, place) => place).filter(
    (place) => !chart.classList.contains("dimmed") || bars[place].classList.contains("lit"));
  const choose = (place) => {
    if (at >= 0) bars[at].classList.remove("at");
    at = place;
    if (at >= 0) bars[at].classList.add("at");
    told.textContent = at < 0 ? hint : bars[at].dataset.told;
    told.classList.toggle("telling", at >= 0);
  };
  const under = (event) => {
    const bar = event.target.closest(".bar");
    if (bar && chart.contains(bar)) choose(bars.indexOf(bar));
  };
  chart.addEventListener("pointerover", under);
  chart.addEventListener("click", under);
  chart.addEventListener("keydown", (event) => {
    const places = lit(), now = places.indexOf(at), last = places.length - 1;
    const next = {
      ArrowRight: now + 1, ArrowDown: now + 1, ArrowLeft: now < 0 ? last : now - 1, ArrowUp: now < 0 ? last : now - 1,
      Home: 0, End: last, Escape: -1,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    choose(event.key === "Escape" || last < 0 ? -1 : places[Math.min(Math.max(next, 0), last)]);
    if (at >= 0) bars[at].scrollIntoView({ block: "nearest" });
  });
  const buttons = [...figure.querySelectorAll(".legend button")];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      const wanted = buttons.filter((each) => each.getAttribute("aria-pressed") === "true").map((each) => "o-" + each.dataset.kind);
      chart.classList.toggle("dimmed", wanted.length > 0);
      for (const bar of bars) bar.classList.toggle("lit", wanted.some((kind) => bar.classList.contains(kind)));
    });
  }
}
