/* Tooltips at once, where browsers show <title> after a while; all is readable without. */
(function () {
  "use strict";
  var box = document.createElement("div");
  box.id = "tip";
  box.hidden = true;
  document.body.appendChild(box);
  var titles = document.querySelectorAll("g.tip > title");
  for (var i = 0; i < titles.length; i++) {
    var g = titles[i].parentNode;
    g.tipText = titles[i].textContent;
    g.setAttribute("aria-label", g.tipText);
    g.removeChild(titles[i]);
  }
  document.addEventListener("mousemove", function (event) {
    var g = event.target.closest && event.target.closest("g.tip");
    box.hidden = !g;
    if (!g) return;
    if (box.textContent !== g.tipText) box.textContent = g.tipText;
    var x = Math.min(event.clientX + 14, innerWidth - box.offsetWidth - 8);
    var y = event.clientY + 18;
    if (y + box.offsetHeight > innerHeight - 8) y = event.clientY - box.offsetHeight - 10;
    /* The page's policy forbids style attributes in markup; setting properties is allowed. */
    box.style.left = Math.max(x, 4) + "px";
    box.style.top = Math.max(y, 4) + "px";
  });
})();
