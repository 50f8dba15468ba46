package main

import (
	"fmt"
	"slices"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	shop "shop-clients/gen/shop/v1"
)

func line(id string, quantity uint32) *shop.Order_Line {
	return &shop.Order_Line{ProductId: id, Quantity: quantity}
}

// So many pieces of some products, paid for with a gift card.
func orderOf(key string, lines ...*shop.Order_Line) *shop.CreateOrderRequest {
	return &shop.CreateOrderRequest{
		IdempotencyKey: key,
		Order: &shop.Order{
			Lines:   lines,
			Payment: &shop.Order_GiftCard{GiftCard: &shop.GiftCard{Code: "WELCOME"}},
			ShippingAddress: &shop.Address{
				Recipient: "Bob", Lines: []string{"1 Shore Road"}, PostalCode: "12345", City: "Northhaven", CountryCode: "NO",
			},
		},
	}
}

func (c *Client) order(key string, lines ...*shop.Order_Line) (*shop.Order, error) {
	return c.orders.CreateOrder(ctx, orderOf(key, lines...))
}

func (c *Client) get(id string) (*shop.Order, error) {
	return c.orders.GetOrder(ctx, &shop.GetOrderRequest{Id: id})
}

func (c *Client) step(id, status string) (*shop.Order, error) {
	next := shop.Order_Status(shop.Order_Status_value["STATUS_"+status])
	return c.orders.UpdateOrderStatus(ctx, &shop.UpdateOrderStatusRequest{Id: id, Status: next})
}

func createOrders(s *Shop) {
	cheaper := product("ORDER-1", 5)
	cheaper.Price, cheaper.Discount = euro(12, 99), &shop.Product_PercentOff{PercentOff: 10}
	one, two := must(s.put(cheaper)).Id, s.create("ORDER-2", 6, euro(0, 10))
	request := orderOf("", line(one, 1), line(two, 2))
	request.Order.Note = wrapperspb.String("ring")
	gift := request.Order.Payment
	for number, pay := range []func(){
		func() {
			request.Order.Payment = &shop.Order_Card{Card: &shop.CardPayment{Token: "tok", LastFour: "4242"}}
		},
		func() {
			request.Order.Payment = &shop.Order_BankTransfer{BankTransfer: &shop.BankTransfer{Iban: "NO9386011117947"}}
		},
		func() { request.Order.Payment = gift },
	} {
		pay()
		request.IdempotencyKey = fmt.Sprint("create-", number)
		order := must(s.bob.orders.CreateOrder(ctx, request))
		wanted := proto.Clone(request.Order).(*shop.Order)
		wanted.Id, wanted.Customer, wanted.Status = order.Id, "bob", shop.Order_STATUS_PENDING
		wanted.CreateTime, wanted.UpdateTime, wanted.Total = order.CreateTime, order.CreateTime, euro(11, 89)
		// 10 % less than 12.99, in whole cents.
		wanted.Lines = []*shop.Order_Line{
			{ProductId: one, ProductName: "a ORDER-1", Quantity: 1, UnitPrice: euro(11, 69), Total: euro(11, 69)},
			{ProductId: two, ProductName: "a ORDER-2", Quantity: 2, UnitPrice: euro(0, 10), Total: euro(0, 20)},
		}
		equal(order, wanted)
		done := uint32(number) + 1
		equal(s.stock(one), [2]uint32{5 - done, done})
		equal(s.stock(two), [2]uint32{6 - 2*done, 2 * done})
		equal(must(s.bob.get(order.Id)), order)
		equal(must(s.ann.get(order.Id)), order)
		// That of someone else is not told of.
		ended := fails(codes.NotFound, errorOf(s.eve.get(order.Id)))
		equal(reason(ended)+" "+resource(ended), "NOT_FOUND order "+order.Id)
	}
	refused(errorOf(s.bob.get("")), "id")
}

func refuseOrders(s *Shop) {
	id := s.create("ORDER-REFUSED", 5, euro(10, 0))
	bad := orderOf("", line(id, 0), line("", 1), line(id, 1))
	bad.Order.Payment = &shop.Order_BankTransfer{BankTransfer: &shop.BankTransfer{Iban: "short"}}
	bad.Order.ShippingAddress = nil
	create := func(request *shop.CreateOrderRequest) error { return errorOf(s.bob.orders.CreateOrder(ctx, request)) }
	refused(create(bad),
		"idempotency_key", "order.bank_transfer.iban", "order.shipping_address",
		"order.lines[0].quantity", "order.lines[1].product_id", "order.lines[2].product_id",
	)
	bad = orderOf("x")
	bad.Order.Payment = nil
	refused(create(bad), "order.lines", "order.payment")
	refused(create(&shop.CreateOrderRequest{IdempotencyKey: "x"}), "order")
	equal(s.stock(id), [2]uint32{5, 0})
}

func keysOfOrders(s *Shop) {
	id := s.create("ORDER-KEY", 100, euro(10, 0))
	order := must(s.bob.order("key", line(id, 1)))
	equal(must(s.bob.order("key", line(id, 1))), order)
	must(s.ann.step(order.Id, "PAID"))
	again := must(s.bob.order("key", line(id, 1)))
	equal(again.Id+again.Status.String(), order.Id+"STATUS_PAID")
	equal(s.stock(id), [2]uint32{99, 1})
	ended := fails(codes.AlreadyExists, errorOf(s.bob.order("key", line(id, 2))))
	equal(reason(ended)+" "+resource(ended), "IDEMPOTENCY_KEY_TAKEN order "+order.Id)
	// Keys are one's own.
	isTrue(must(s.eve.order("key", line(id, 1))).Id != order.Id, "Eve has the order of Bob")
	ids := make(chan string)
	for range 16 {
		go func() {
			order, err := s.bob.order("at-once", line(id, 3))
			ids <- fmt.Sprint(order.GetId(), err)
		}()
	}
	first := <-ids
	for range 15 {
		equal(<-ids, first)
	}
	equal(s.stock(id), [2]uint32{95, 5})
}

func stockOfOrders(s *Shop) {
	few, many := s.create("ORDER-FEW", 1, euro(10, 0)), s.create("ORDER-MANY", 9, euro(10, 0))
	suspended := product("ORDER-ASLEEP", 5)
	suspended.Status = shop.Product_STATUS_SUSPENDED
	asleep := must(s.put(suspended)).Id
	order := func() (*shop.Order, error) {
		return s.bob.order("stock", line(many, 1), line(few, 2), line("p-999999999", 1), line(asleep, 1))
	}
	ended := fails(codes.FailedPrecondition, errorOf(order()))
	equal(reason(ended), "OUT_OF_STOCK")
	equal(preconditions(ended), []string{
		"STOCK order.lines[1]", "UNKNOWN_PRODUCT order.lines[2]", "NOT_FOR_SALE order.lines[3]",
	})
	equal(s.stock(many), [2]uint32{9, 0})
	equal(s.stock(few), [2]uint32{1, 0})
	// Nothing has become of the key.
	must(s.bob.order("stock", line(few, 1)))
	equal(s.stock(few), [2]uint32{0, 1})
}

func listOrders(s *Shop) {
	id := s.create("ORDER-LIST", 100, euro(10, 0))
	var made []string
	for number := range 7 {
		made = append(made, must(s.eve.order(fmt.Sprint("list-", number), line(id, 1))).Id)
	}
	must(s.eve.step(made[3], "CANCELLED"))
	pages := func(client *Client, request *shop.ListOrdersRequest) (ids []string, err error) {
		for request.PageSize = 3; ; {
			page, err := client.orders.ListOrders(ctx, request)
			if err != nil {
				return nil, err
			}
			for _, order := range page.Orders {
				if order.Lines[0].ProductId == id {
					ids = append(ids, order.Id)
				}
			}
			if request.PageToken = page.NextPageToken; request.PageToken == "" {
				return ids, nil
			}
		}
	}
	newestFirst := slices.Clone(made)
	slices.Reverse(newestFirst)
	equal(must(pages(s.eve, &shop.ListOrdersRequest{})), newestFirst)
	equal(must(pages(s.eve, &shop.ListOrdersRequest{Customer: "eve"})), newestFirst)
	equal(must(pages(s.ann, &shop.ListOrdersRequest{})), newestFirst)
	cancelled := &shop.ListOrdersRequest{Customer: "eve", Status: shop.Order_STATUS_CANCELLED}
	equal(must(pages(s.ann, cancelled)), []string{made[3]})
	equal(must(pages(s.bob, &shop.ListOrdersRequest{})), nil)
	fails(codes.PermissionDenied, errorOf(pages(s.bob, &shop.ListOrdersRequest{Customer: "eve"})))
	list := func(client *Client, request *shop.ListOrdersRequest) (*shop.ListOrdersResponse, error) {
		return client.orders.ListOrders(ctx, request)
	}
	page := must(list(s.eve, &shop.ListOrdersRequest{PageSize: 3}))
	refused(errorOf(list(s.eve, &shop.ListOrdersRequest{PageToken: "x"})), "page_token")
	// That of another list: all orders, and not those of Eve.
	refused(errorOf(list(s.ann, &shop.ListOrdersRequest{PageToken: page.NextPageToken})), "page_token")
	refused(errorOf(list(s.eve, &shop.ListOrdersRequest{PageSize: -1, Status: 99})), "page_size", "status")
}

func stepsOfOrders(s *Shop) {
	id := s.create("ORDER-STEPS", 10, euro(10, 0))
	order := must(s.bob.order("steps", line(id, 2))).Id
	ended := fails(codes.FailedPrecondition, errorOf(s.ann.step(order, "SHIPPED")))
	equal(reason(ended), "NO_SUCH_STEP")
	equal(preconditions(ended), []string{"STATUS " + order})
	next := map[string]string{"status": "PENDING", "next": "PAID,CANCELLED"}
	equal(detail[*errdetails.ErrorInfo](ended).Metadata, next)
	fails(codes.PermissionDenied, errorOf(s.bob.step(order, "PAID")))
	fails(codes.NotFound, errorOf(s.eve.step(order, "CANCELLED")))
	refused(errorOf(s.ann.step(order, "UNSPECIFIED")), "status")
	for _, status := range []string{"PAID", "SHIPPED", "DELIVERED"} {
		equal(must(s.ann.step(order, status)).Status.String(), "STATUS_"+status)
		reserved := uint32(0)
		if status == "PAID" {
			reserved = 2
		}
		equal(s.stock(id), [2]uint32{8, reserved})
	}
	for _, status := range []string{"CANCELLED", "DELIVERED", "PENDING"} {
		fails(codes.FailedPrecondition, errorOf(s.ann.step(order, status)))
	}
	// From here it goes back on the shelf.
	for _, status := range []string{"", "PAID"} {
		order := must(s.bob.order("back-"+status, line(id, 3))).Id
		if status != "" {
			must(s.ann.step(order, status))
		}
		equal(s.stock(id), [2]uint32{5, 3})
		equal(must(s.bob.step(order, "CANCELLED")).Status, shop.Order_STATUS_CANCELLED)
		equal(s.stock(id), [2]uint32{8, 0})
	}
	fails(codes.NotFound, errorOf(s.ann.step("o-999999999", "PAID")))
}

func trackOrders(s *Shop) {
	id := s.create("ORDER-TRACK", 10, euro(10, 0))
	order := must(s.bob.order("track", line(id, 1))).Id
	track := &shop.TrackOrderRequest{Id: order}
	events := must(s.bob.orders.TrackOrder(ctx, track))
	for _, status := range []string{"PENDING", "PAID", "SHIPPED", "DELIVERED"} {
		if status != "PENDING" {
			must(s.ann.step(order, status))
		}
		event := must(events.Recv())
		equal(event.OrderId+event.Status.String(), order+"STATUS_"+status)
		isTrue(event.Time.Seconds > 0, "%v", event)
	}
	equal(len(must(collect(events))), 0)
	// Who comes late hears how it ended.
	late := must(collect(must(s.ann.orders.TrackOrder(ctx, track))))
	equal([2]int{len(late), int(late[0].Status)}, [2]int{1, int(shop.Order_STATUS_DELIVERED)})
	fails(codes.NotFound, errorOf(must(s.eve.orders.TrackOrder(ctx, track)).Recv()))
	// What changes about the product is no step of the order.
	changed := &shop.Product{Id: id, Name: "other"}
	must(s.ann.products.UpdateProduct(ctx, &shop.UpdateProductRequest{Product: changed}))
	equal(must(s.bob.get(order)).Lines[0].ProductName, "a ORDER-TRACK")
}
