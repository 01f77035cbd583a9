// SPDX-License-Identifier: GPL-2.0-only
/* A GPIO chip with two inputs, for tests: a door's switch whose level is set by writing to the parameter `levels`. */
#include <linux/gpio/driver.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>

#define LINES 2

static DEFINE_MUTEX(lock);
static unsigned int levels;
static bool plugged = true;
static bool picky;
module_param(picky, bool, 0644);
MODULE_PARM_DESC(picky, "the chip debounces by itself, but not for as long as anybody wants");

/*
 * The interrupts live as long as the module, not as long as the chip: who watches a line of a chip that is unplugged
 * still has its interrupt, and gives it back later.
 */
static int first_irq = -1;
static bool there;
static struct platform_device *board;

static int get_direction(struct gpio_chip *chip, unsigned int line)
{
	return GPIO_LINE_DIRECTION_IN;
}

static int direction_input(struct gpio_chip *chip, unsigned int line)
{
	return 0;
}

static int get(struct gpio_chip *chip, unsigned int line)
{
	return (READ_ONCE(levels) >> line) & 1;
}

/* What the chip cannot do, the kernel does by itself; what it does but for the value given, it refuses. */
static int set_config(struct gpio_chip *chip, unsigned int line, unsigned long config)
{
	if (picky && pinconf_to_config_param(config) == PIN_CONFIG_INPUT_DEBOUNCE)
		return -EINVAL;
	return -ENOTSUPP;
}

static int to_irq(struct gpio_chip *chip, unsigned int line)
{
	return first_irq + line;
}

static struct gpio_chip chip = {
	.label = "door test chip",
	.owner = THIS_MODULE,
	.ngpio = LINES,
	.get_direction = get_direction,
	.direction_input = direction_input,
	.get = get,
	.set_config = set_config,
	.to_irq = to_irq,
};

static int plug(bool in)
{
	int error = 0;

	if (in == there)
		return 0;
	if (in) {
		/* Its old numbers, and Linux 6.1 for ever its old name, are taken as long as somebody watches a line. */
		chip.base = -1;
		error = gpiochip_add_data(&chip, NULL);
	} else {
		gpiochip_remove(&chip);
	}
	if (!error)
		there = in;
	return error;
}

static int set_levels(const char *text, const struct kernel_param *parameter)
{
	unsigned int wanted, changed, line;
	int error = kstrtouint(text, 0, &wanted);

	if (error)
		return error;
	mutex_lock(&lock);
	changed = levels ^ wanted;
	WRITE_ONCE(levels, wanted);
	/* Nobody hears of what happens while the chip is away. */
	for (line = 0; there && line < LINES; line++)
		if (changed & BIT(line))
			generic_handle_irq_safe(first_irq + line);
	mutex_unlock(&lock);
	return 0;
}

static const struct kernel_param_ops levels_ops = {
	.set = set_levels,
	.get = param_get_uint,
};
module_param_cb(levels, &levels_ops, &levels, 0644);
MODULE_PARM_DESC(levels, "one bit for each line");

static int set_plugged(const char *text, const struct kernel_param *parameter)
{
	int error;

	mutex_lock(&lock);
	error = param_set_bool(text, parameter);
	if (!error && board)
		error = plug(plugged);
	mutex_unlock(&lock);
	return error;
}

static const struct kernel_param_ops plugged_ops = {
	.set = set_plugged,
	.get = param_get_bool,
};
module_param_cb(plugged, &plugged_ops, &plugged, 0644);
MODULE_PARM_DESC(plugged, "whether the chip is there");

static int __init gpio_door_init(void)
{
	int line, error;

	first_irq = irq_alloc_descs(-1, 0, LINES, NUMA_NO_NODE);
	if (first_irq < 0)
		return first_irq;
	for (line = 0; line < LINES; line++) {
		irq_set_chip_and_handler(first_irq + line, &dummy_irq_chip, handle_simple_irq);
		irq_clear_status_flags(first_irq + line, IRQ_NOREQUEST | IRQ_NOPROBE);
	}
	/* udev finds the chip by the name of its parent. */
	board = platform_device_register_simple("gpio_door", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(board)) {
		error = PTR_ERR(board);
		goto no_board;
	}
	chip.parent = &board->dev;
	mutex_lock(&lock);
	error = plug(plugged);
	mutex_unlock(&lock);
	if (!error)
		return 0;
	platform_device_unregister(board);
no_board:
	board = NULL;
	irq_free_descs(first_irq, LINES);
	return error;
}

static void __exit gpio_door_exit(void)
{
	mutex_lock(&lock);
	plug(false);
	mutex_unlock(&lock);
	platform_device_unregister(board);
	irq_free_descs(first_irq, LINES);
}

module_init(gpio_door_init);
module_exit(gpio_door_exit);
MODULE_DESCRIPTION("A GPIO chip with a door's switch for tests");
MODULE_LICENSE("GPL");
