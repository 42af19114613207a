libcore_la_SOURCES += %D%/loop.c %D%/loop.h %D%/fiber.c %D%/fiber.h %D%/scope.c \
	%D%/wait.c %D%/offload.c %D%/offload.h %D%/stack.c %D%/stack.h %D%/overflow.c \
	%D%/context.c %D%/context.h %D%/switch.S
