"""The head: face, ears and glasses, from the front, the back and the side."""

from __future__ import annotations

from typing import Final

from training.pretraining.renderer.attributes import HAIR_COLOURS, SKIN_TONES, Rgb, Scene, mix
from training.pretraining.renderer.canvas import Canvas, Part
from training.pretraining.renderer.figure import contour_of, shade_of
from training.pretraining.renderer.shapes import Point, blob, ellipse, line, outline

_INK: Final[Rgb] = (40, 30, 36)
_FRAME: Final[Rgb] = (44, 40, 48)


def draw_head(canvas: Canvas, scene: Scene) -> None:
    """The head without its hair; a side view looks towards +x."""
    skin = SKIN_TONES[scene.skin]
    if scene.view == "back":
        _ears(canvas, skin)
        path = ellipse((0, 0.5), (0.37, 0.47))
        canvas.fill(path, skin, Part.PERSON, contour_of(skin))
    elif scene.view == "side":
        _profile(canvas, scene, skin)
    else:
        _ears(canvas, skin)
        _face(canvas, scene, skin)


def _ears(canvas: Canvas, skin: Rgb) -> None:
    for side in (-1, 1):
        canvas.fill(ellipse((side * 0.365, 0.56), (0.06, 0.10)), skin, Part.PERSON,
                    contour_of(skin))  # fmt: skip


def _lips(scene: Scene, skin: Rgb) -> Rgb:
    return mix(skin, (186, 38, 62), 0.72 if scene.subject == "woman" else 0.38)


def _brow(scene: Scene) -> Rgb:
    return mix(HAIR_COLOURS[scene.hair_colour], _INK, 0.5)


def _face(canvas: Canvas, scene: Scene, skin: Rgb) -> None:
    man, child = scene.subject == "man", scene.age == "child"
    jaw, chin = (0.275, 0.15) if man else (0.225, 0.09)
    if child:
        jaw, chin = 0.28, 0.12
    right: list[Point] = [(0.0, 0.03), (0.25, 0.10), (0.36, 0.34), (0.355, 0.58), (jaw, 0.84),
                          (chin, 0.975)]  # fmt: skip
    head = blob([*right, (0.0, 1.0), *[(-x, y) for x, y in right[:0:-1]]])
    canvas.fill(head, skin, Part.PERSON, contour_of(skin))
    canvas.model(head, shade_of(skin), 0.55)
    blush = mix(skin, (226, 70, 78), 0.6)
    for side in (-1, 1):
        canvas.shade(ellipse((side * 0.21, 0.70), (0.10, 0.065)), blush, 0.30)
        _eye(canvas, scene, side)
    edge = contour_of(skin)
    canvas.stroke(line([(0.01, 0.56), (0.045, 0.69), (-0.015, 0.705)]), edge, 0.8, alpha=0.75)
    _mouth(canvas, scene, skin)
    if scene.age == "elderly":
        _age_lines(canvas, skin)
    if scene.glasses:
        for side in (-1, 1):
            lens = ellipse((side * 0.165, 0.545), (0.135, 0.115))
            canvas.shade(lens, (255, 255, 255), 0.22)
            canvas.stroke(lens, _FRAME, 1.1)
            canvas.stroke(line([(side * 0.30, 0.53), (side * 0.36, 0.51)]), _FRAME, 1.0)
        canvas.stroke(line([(-0.035, 0.53), (0.0, 0.51), (0.035, 0.53)]), _FRAME, 1.0)


def _eye(canvas: Canvas, scene: Scene, side: int) -> None:
    big = 1.18 if scene.age == "child" else 1.0
    x, y = side * 0.16, 0.55
    white = blob([(x - 0.085 * big, y), (x, y - 0.055 * big), (x + 0.085 * big, y),
                  (x, y + 0.05 * big)])  # fmt: skip
    canvas.fill(white, (252, 250, 248), Part.PERSON)
    canvas.fill(ellipse((x, y), (0.046 * big, 0.056 * big)), _INK, Part.PERSON)
    lid = [(x - side * 0.085, y + 0.0), (x, y - 0.062 * big), (x + side * 0.098, y - 0.005)]
    canvas.stroke(line(lid), _INK, 1.0 if scene.subject == "woman" else 0.8, alpha=0.9)
    if scene.subject == "woman" and scene.age != "child":
        lash = [(x + side * 0.075, y - 0.02), (x + side * 0.125, y - 0.05)]
        canvas.stroke(line(lash), _INK, 0.8, alpha=0.8)
    thick = 1.35 if scene.subject == "man" else 0.95
    brow = [(side * 0.08, 0.435), (side * 0.165, 0.405), (side * 0.25, 0.435)]
    canvas.stroke(line(brow), _brow(scene), thick, alpha=0.9)


def _mouth(canvas: Canvas, scene: Scene, skin: Rgb) -> None:
    lips = _lips(scene, skin)
    wide = 0.115 if scene.subject == "man" else 0.105
    if scene.age == "child":
        smile = blob([(-wide, 0.80), (0.0, 0.825), (wide, 0.80), (0.0, 0.875)])
        canvas.fill(smile, lips, Part.PERSON)
        return
    upper = [(-wide, 0.815), (-0.035, 0.79), (0.0, 0.80), (0.035, 0.79), (wide, 0.815)]
    lower = [(wide, 0.815), (0.05, 0.862), (-0.05, 0.862), (-wide, 0.815)]
    canvas.fill(outline(upper, lower), lips, Part.PERSON)
    canvas.stroke(line([(-wide, 0.812), (0.0, 0.824), (wide, 0.812)]), mix(lips, _INK, 0.45), 0.6,
                  alpha=0.7)  # fmt: skip


def _age_lines(canvas: Canvas, skin: Rgb) -> None:
    edge = contour_of(skin)
    for side in (-1, 1):
        fold = [(side * 0.085, 0.70), (side * 0.145, 0.76), (side * 0.155, 0.83)]
        canvas.stroke(line(fold), edge, 0.8, alpha=0.65)
        bag = [(side * 0.10, 0.635), (side * 0.17, 0.65), (side * 0.235, 0.63)]
        canvas.stroke(line(bag), edge, 0.7, alpha=0.5)
    canvas.stroke(line([(-0.12, 0.30), (0.0, 0.29), (0.12, 0.30)]), edge, 0.7, alpha=0.45)


def _profile(canvas: Canvas, scene: Scene, skin: Rgb) -> None:
    man, child = scene.subject == "man", scene.age == "child"
    edge = contour_of(skin)
    chin = 0.0 if child else 0.03 if man else 0.01
    nose = 0.035 if child else 0.065 if man else 0.05
    front: list[Point] = [(0.06, 0.03), (0.26, 0.14), (0.315, 0.36), (0.305, 0.50),
                          (0.36 + nose, 0.685), (0.33, 0.735), (0.355, 0.80), (0.335, 0.835),
                          (0.34, 0.87), (0.30 + chin, 0.965), (0.20, 1.0)]  # fmt: skip
    back: list[Point] = [(0.20, 1.0), (0.0, 0.93), (-0.12, 0.80), (-0.34, 0.72), (-0.42, 0.44),
                         (-0.30, 0.13), (0.06, 0.03)]  # fmt: skip
    head = outline(front, back)
    canvas.fill(head, skin, Part.PERSON, edge)
    canvas.model(head, shade_of(skin), 0.45)
    canvas.shade(ellipse((0.17, 0.71), (0.09, 0.07)), mix(skin, (226, 70, 78), 0.6), 0.3)
    eye = blob([(0.17, 0.545), (0.225, 0.50), (0.27, 0.545), (0.23, 0.59)])
    canvas.fill(eye, (252, 250, 248), Part.PERSON)
    canvas.fill(ellipse((0.238, 0.548), (0.036, 0.056)), _INK, Part.PERSON)
    canvas.stroke(line([(0.155, 0.53), (0.22, 0.492), (0.282, 0.515)]), _INK, 1.0, alpha=0.9)
    thick = 1.35 if man else 0.95
    canvas.stroke(line([(0.15, 0.42), (0.235, 0.40), (0.30, 0.425)]), _brow(scene), thick)
    lips = outline([(0.255, 0.825), (0.315, 0.785), (0.358, 0.80)],
                   [(0.358, 0.80), (0.335, 0.833), (0.345, 0.862), (0.255, 0.825)])  # fmt: skip
    canvas.fill(lips, _lips(scene, skin), Part.PERSON)
    canvas.fill(ellipse((-0.03, 0.57), (0.075, 0.11)), skin, Part.PERSON, edge)
    if scene.age == "elderly":
        canvas.stroke(line([(0.30, 0.71), (0.22, 0.76), (0.225, 0.84)]), edge, 0.8, alpha=0.65)
    if scene.glasses:
        lens = ellipse((0.235, 0.545), (0.085, 0.115))
        canvas.shade(lens, (255, 255, 255), 0.22)
        canvas.stroke(lens, _FRAME, 1.1)
        canvas.stroke(line([(0.15, 0.53), (-0.02, 0.51)]), _FRAME, 1.0)
