# Unit tests of fiber.
