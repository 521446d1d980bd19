// SPDX-License-Identifier: GPL-2.0-only
// A link to a counterexample opens it; "copy" copies a trace or a program.
function reveal() {
	let one = document.getElementById(decodeURIComponent(location.hash.slice(1)));
	for (let up = one; up; up = up.parentElement)
		if (up.tagName === "DETAILS")
			up.open = true;
	if (one)
		one.scrollIntoView();
}
addEventListener("hashchange", reveal);
addEventListener("DOMContentLoaded", () => {
	for (const block of document.querySelectorAll("pre[data-copy]")) {
		const button = document.createElement("button");
		button.textContent = "copy";
		button.addEventListener("click", (event) => {
			event.preventDefault();
			navigator.clipboard.writeText(block.textContent).then(() => { button.textContent = "copied"; });
		});
		block.previousElementSibling.append(button);
	}
	reveal();
});
