// The line between before and after, moved by mouse, finger or keys.

const STEP = 0.02;

/**
 * Lets a line be moved over a photo.
 *
 * @param {HTMLElement} photo What the line stands on; gets the style `--split`, from 0 to 1.
 * @param {HTMLElement} line The line, which is a slider to assistive technology.
 */
export function makeDivider(photo, line) {
  let split = 0.5;

  const move = (to) => {
    split = Math.min(1, Math.max(0, to));
    photo.style.setProperty("--split", split);
    line.setAttribute("aria-valuenow", Math.round(100 * split));
  };
  const follow = (event) => {
    const { left, width } = photo.getBoundingClientRect();
    move((event.clientX - left) / width);
  };

  photo.addEventListener("pointerdown", (event) => {
    // A finger on a photo that is larger than its frame scrolls it; it moves the line by the line.
    const scrolls = photo.dataset.zoom === "actual" && event.pointerType === "touch";
    if (event.button !== 0 || (scrolls && !line.contains(event.target))) return;
    event.preventDefault();
    line.focus({ preventScroll: true });
    photo.setPointerCapture(event.pointerId);
    follow(event);
  });
  photo.addEventListener("pointermove", (event) => {
    if (photo.hasPointerCapture(event.pointerId)) follow(event);
  });
  line.addEventListener("keydown", (event) => {
    const keys = { ArrowLeft: split - STEP, ArrowRight: split + STEP, Home: 0, End: 1 };
    if (!(event.key in keys)) return;
    event.preventDefault();
    move(keys[event.key]);
  });
  move(split);
}
