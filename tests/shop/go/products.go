package main

import (
	"fmt"
	"io"
	"math"
	"sort"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	shop "shop-clients/gen/shop/v1"
)

func euro(units int64, cents int32) *shop.Money {
	return &shop.Money{CurrencyCode: "EUR", Units: units, Nanos: cents * 10_000_000}
}

// A product for 10 EUR.
func product(sku string, available uint32) *shop.Product {
	return &shop.Product{
		Sku:       sku,
		Name:      "a " + sku,
		Category:  shop.Category_CATEGORY_HOME,
		Price:     euro(10, 0),
		Inventory: &shop.Product_Inventory{Available: available},
	}
}

func (s *Shop) put(product *shop.Product) (*shop.Product, error) {
	return s.ann.products.CreateProduct(ctx, &shop.CreateProductRequest{Product: product})
}

// The id of a new product.
func (s *Shop) create(sku string, available uint32, price *shop.Money) string {
	wanted := product(sku, available)
	wanted.Price = price
	return must(s.put(wanted)).Id
}

func (s *Shop) product(id string) (*shop.Product, error) {
	return s.nobody.products.GetProduct(ctx, &shop.GetProductRequest{Id: id})
}

func (s *Shop) stock(id string) [2]uint32 {
	inventory := must(s.product(id)).Inventory
	return [2]uint32{inventory.Available, inventory.Reserved}
}

func createProducts(s *Shop) {
	wanted := product("CREATE-1", 5)
	wanted.Description = "for tea\nand coffee"
	wanted.Attributes = map[string]string{"colour": "blue", "größe": "groß"}
	wanted.Tags = []string{"kitchen", "gift"}
	wanted.Brand = wrapperspb.String("Northhaven")
	wanted.WeightKg = wrapperspb.Double(1.25)
	wanted.Dimensions = &shop.Product_Dimensions{WidthMm: 100, HeightMm: 200, DepthMm: 300}
	wanted.Warranty = durationpb.New(2 * 365 * 24 * time.Hour)
	wanted.Discount = &shop.Product_PercentOff{PercentOff: 10}
	wanted.Inventory.ReorderLevel = 2
	found := must(s.put(wanted))
	isTrue(found.Id[:2] == "p-" && time.Since(found.CreateTime.AsTime()).Abs() < time.Minute, "%v", found)
	equal(found.CreateTime, found.UpdateTime)
	equal(must(s.product(found.Id)), found)
	id := found.Id
	found.Id, found.CreateTime, found.UpdateTime = "", nil, nil
	wanted.Status = shop.Product_STATUS_ACTIVE
	equal(found, wanted)
	taken := fails(codes.AlreadyExists, errorOf(s.put(product("CREATE-1", 1))))
	equal(resource(taken), "product "+id)
	equal(reason(taken), "SKU_TAKEN")
	equal(detail[*errdetails.ErrorInfo](taken).Metadata, map[string]string{"sku": "CREATE-1", "product": id})
}

func refuseProducts(s *Shop) {
	bad := &shop.Product{
		Sku: "no spaces", Discount: &shop.Product_PercentOff{PercentOff: 95}, Tags: []string{""}, WeightKg: wrapperspb.Double(-1),
	}
	fields := []string{"sku", "name", "category", "price", "percent_off", "tags", "weight_kg"}
	for at := range fields {
		fields[at] = "product." + fields[at]
	}
	refused(errorOf(s.put(bad)), fields...)
	refused(errorOf(s.put(nil)), "product")
	for _, price := range []*shop.Money{
		euro(0, 0), euro(-1, 0), euro(1, -1), {CurrencyCode: "USD", Units: 1}, {Nanos: 1_000_000_000},
	} {
		wanted := product("BAD", 1)
		wanted.Price = price
		refused(errorOf(s.put(wanted)), "product.price")
	}
	wanted := product("BAD", 1)
	wanted.Discount = &shop.Product_AmountOff{AmountOff: euro(10, 0)}
	refused(errorOf(s.put(wanted)), "product.amount_off")
}

func getProducts(s *Shop) {
	equal(must(s.product("p-1")).Id, "p-1")
	for _, id := range []string{"p-999999999", "p-01", "o-1", "nothing"} {
		ended := fails(codes.NotFound, errorOf(s.product(id)))
		equal(ended.Message(), "there is no product "+id)
		equal(reason(ended), "NOT_FOUND")
		equal(resource(ended), "product "+id)
	}
	refused(errorOf(s.product("")), "id")
}

func updateProducts(s *Shop) {
	first := product("UPDATE-1", 5)
	first.Discount, first.Brand, first.Description = &shop.Product_PercentOff{PercentOff: 10}, wrapperspb.String("Tern"), "old"
	made := must(s.put(first))
	update := func(changed *shop.Product, paths ...string) (*shop.Product, error) {
		changed.Id = made.Id
		request := &shop.UpdateProductRequest{Product: changed}
		if paths != nil {
			request.UpdateMask = &fieldmaskpb.FieldMask{Paths: paths}
		}
		return s.ann.products.UpdateProduct(ctx, request)
	}

	// Those of the mask: one is in a message, one of a oneof, and one is cleared.
	found := must(update(&shop.Product{
		Price:       euro(20, 0),
		Inventory:   &shop.Product_Inventory{Available: 7, ReorderLevel: 9},
		Discount:    &shop.Product_AmountOff{AmountOff: euro(1, 50)},
		Description: "not of the mask",
	}, "price", "inventory.available", "amount_off", "brand"))
	isTrue(found.UpdateTime.AsTime().After(made.UpdateTime.AsTime()), "%v", found)
	equal(found.GetAmountOff(), euro(1, 50))
	equal(found.Price, euro(20, 0))
	equal(found.Description, "old")
	equal([2]uint32{found.Inventory.Available, found.Inventory.ReorderLevel}, [2]uint32{7, 0})
	isTrue(found.Brand == nil, "%v", found)
	// Without a mask: those that are there, but never the inventory.
	found = must(update(&shop.Product{Description: "new", Inventory: &shop.Product_Inventory{Available: 1}}))
	equal(found.Description, "new")
	equal(found.Inventory.Available, 7)
	equal(must(s.product(made.Id)), found)

	for _, path := range []string{"nothing", "inventory.nothing", "price.", "create_time", "inventory.reserved", "id"} {
		refused(errorOf(update(&shop.Product{}, path)), "update_mask")
	}
	refused(errorOf(update(&shop.Product{Price: euro(-1, 0)}, "price")), "product.price", "product.amount_off")
	refused(errorOf(update(&shop.Product{}, "name")), "product.name")
	refused(errorOf(s.ann.products.UpdateProduct(ctx, &shop.UpdateProductRequest{})), "product")
	must(s.put(product("UPDATE-2", 1)))
	equal(reason(fails(codes.AlreadyExists, errorOf(update(&shop.Product{Sku: "UPDATE-2"}, "sku")))), "SKU_TAKEN")
	made.Id = "p-999999999"
	equal(resource(fails(codes.NotFound, errorOf(update(&shop.Product{Name: "x"})))), "product p-999999999")
}

func deleteProducts(s *Shop) {
	id := s.create("DELETE-1", 5, euro(10, 0))
	order := must(s.bob.order("delete", line(id, 1)))
	remove := func() error { return errorOf(s.ann.products.DeleteProduct(ctx, &shop.DeleteProductRequest{Id: id})) }
	ended := fails(codes.FailedPrecondition, remove())
	equal(reason(ended), "RESERVED")
	equal(preconditions(ended), []string{"RESERVED " + id})
	must(s.bob.step(order.Id, "CANCELLED"))
	equal(remove(), nil)
	fails(codes.NotFound, remove())
	fails(codes.NotFound, errorOf(s.product(id)))
}

// All products of a list, with how many there are said to be.
func (s *Shop) pages(size int32, category shop.Category) (found []*shop.Product, total int) {
	token := ""
	for {
		request := &shop.ListProductsRequest{PageSize: size, PageToken: token, Category: category}
		page := must(s.nobody.products.ListProducts(ctx, request))
		isTrue(len(page.Products) <= int(size), "%d on a page", len(page.Products))
		found = append(found, page.Products...)
		token = page.NextPageToken
		if token == "" {
			return found, int(page.TotalSize)
		}
	}
}

func listProducts(s *Shop) {
	found, total := s.pages(37, shop.Category_CATEGORY_BOOKS)
	var numbers []int
	for _, product := range found {
		numbers = append(numbers, must(strconv.Atoi(product.Id[2:])))
		equal(product.Category, shop.Category_CATEGORY_BOOKS)
	}
	isTrue(sort.IntsAreSorted(numbers), "%v", numbers)
	distinct := map[int]bool{}
	for _, number := range numbers {
		distinct[number] = true
	}
	equal([2]int{len(found), len(distinct)}, [2]int{total, total})
	list := func(request *shop.ListProductsRequest) (*shop.ListProductsResponse, error) {
		return s.nobody.products.ListProducts(ctx, request)
	}
	first := must(list(&shop.ListProductsRequest{}))
	equal(len(first.Products), 50)
	equal(len(must(list(&shop.ListProductsRequest{PageSize: 1_000_000})).Products), 500)
	for _, bad := range []struct {
		token    string
		category shop.Category
	}{
		{"x", 0}, {fmt.Sprintf("%032d", 0), 0}, {first.NextPageToken[1:], 0}, {first.NextPageToken, shop.Category_CATEGORY_BOOKS},
	} {
		refused(errorOf(list(&shop.ListProductsRequest{PageToken: bad.token, Category: bad.category})), "page_token")
	}
	refused(errorOf(list(&shop.ListProductsRequest{PageSize: -1, Category: 99})), "page_size", "category")
}

func streamProducts(s *Shop) {
	books := &shop.StreamProductsRequest{Category: shop.Category_CATEGORY_BOOKS}
	found := must(collect(must(s.nobody.products.StreamProducts(ctx, books))))
	listed, _ := s.pages(500, shop.Category_CATEGORY_BOOKS)
	equal(len(found), len(listed))
	for at := range found {
		equal(found[at], listed[at])
	}
	every := must(collect(must(s.nobody.products.StreamProducts(ctx, &shop.StreamProductsRequest{}))))
	_, total := s.pages(500, 0)
	equal(len(every), total)
}

func watchProducts(s *Shop) {
	watched, stop := withCancel()
	garden := &shop.WatchProductsRequest{Category: shop.Category_CATEGORY_GARDEN}
	events := must(s.eve.products.WatchProducts(watched, garden))
	must(events.Header())               // From now on nothing is missed.
	s.create("WATCH-1", 1, euro(10, 0)) // It is on another shelf.
	rake := product("WATCH-2", 2)
	rake.Category = shop.Category_CATEGORY_GARDEN
	made := must(s.put(rake))
	hear := func(kind string) *shop.Product {
		event := must(events.Recv())
		equal(event.Type.String()+" "+event.Product.Id, "TYPE_"+kind+" "+made.Id)
		isTrue(event.Time.Seconds > 0, "%v", event)
		return event.Product
	}
	equal(hear("CREATED"), made)
	changed := &shop.Product{Id: made.Id, Name: "a rake"}
	must(s.ann.products.UpdateProduct(ctx, &shop.UpdateProductRequest{Product: changed}))
	equal(hear("UPDATED").Name, "a rake")
	order := must(s.bob.order("watch", line(made.Id, 2)))
	equal(hear("UPDATED").Inventory.Available, 0)
	hear("OUT_OF_STOCK")
	must(s.bob.step(order.Id, "CANCELLED"))
	equal(hear("UPDATED").Inventory.Available, 2)
	must(s.ann.products.DeleteProduct(ctx, &shop.DeleteProductRequest{Id: made.Id}))
	equal(hear("DELETED").Name, "a rake")
	stop()
	fails(codes.Canceled, errorOf(events.Recv()))

	watched, stop = withCancel()
	defer stop()
	one := must(s.nobody.products.WatchProducts(watched, &shop.WatchProductsRequest{Ids: []string{"p-2"}}))
	must(one.Header())
	for _, id := range []string{"p-1", "p-2"} {
		changed := &shop.Product{Id: id, Description: "watched"}
		must(s.ann.products.UpdateProduct(ctx, &shop.UpdateProductRequest{Product: changed}))
	}
	equal(must(one.Recv()).Product.Id, "p-2")
	crowd := &shop.WatchProductsRequest{Ids: make([]string, 101)}
	refused(errorOf(must(s.nobody.products.WatchProducts(ctx, crowd)).Recv()), "ids")
	unknown := &shop.WatchProductsRequest{Ids: []string{"x"}}
	fails(codes.NotFound, errorOf(must(s.nobody.products.WatchProducts(ctx, unknown)).Recv()))
}

func bulkProducts(s *Shop) {
	stream := must(s.ann.products.BulkCreateProducts(ctx))
	for number := range 250 {
		wanted := product(fmt.Sprintf("BULK-%d", number), 5)
		switch number {
		case 7:
			wanted.Sku = "no spaces"
		case 8:
			wanted.Sku = "BULK-3"
		case 240:
			wanted = nil
		}
		equal(stream.Send(&shop.BulkCreateProductsRequest{Product: wanted}), nil)
	}
	response := must(stream.CloseAndRecv())
	equal(len(response.Ids), 247)
	var found []string
	for _, fault := range response.Errors {
		found = append(found, fmt.Sprintf("%d %v %s", fault.Index, codes.Code(fault.Code), fault.Field))
		isTrue(fault.Message != "", "%v", fault)
	}
	equal(found, []string{"7 InvalidArgument product.sku", "8 AlreadyExists ", "240 InvalidArgument product"})
	equal(must(s.product(response.Ids[0])).Sku, "BULK-0")
	equal(must(must(s.ann.products.BulkCreateProducts(ctx)).CloseAndRecv()), &shop.BulkCreateProductsResponse{})
}

func batchProducts(s *Shop) {
	stream := must(s.ann.products.ProcessProductBatch(ctx))
	ask := func(request *shop.ProcessProductBatchRequest) *shop.ProcessProductBatchResponse {
		equal(stream.Send(request), nil)
		answer := must(stream.Recv())
		equal(answer.Sequence, request.Sequence)
		return answer
	}
	fault := func(answer *shop.ProcessProductBatchResponse) string {
		found := answer.GetError()
		return fmt.Sprintf("%d %v %s", found.GetIndex(), codes.Code(found.GetCode()), found.GetField())
	}
	create := &shop.ProcessProductBatchRequest_Create{Create: product("BATCH-1", 5)}
	made := ask(&shop.ProcessProductBatchRequest{Sequence: math.MaxUint64, Operation: create}).GetProduct()
	adjust := func(by int32) *shop.ProcessProductBatchResponse {
		stock := &shop.ProcessProductBatchRequest_AdjustStock{ProductId: made.Id, By: by}
		return ask(&shop.ProcessProductBatchRequest{Operation: &shop.ProcessProductBatchRequest_AdjustStock_{AdjustStock: stock}})
	}
	price := func(units int64) *shop.ProcessProductBatchResponse {
		set := &shop.ProcessProductBatchRequest_SetPrice{ProductId: made.Id, Price: euro(units, 0)}
		return ask(&shop.ProcessProductBatchRequest{Operation: &shop.ProcessProductBatchRequest_SetPrice_{SetPrice: set}})
	}
	remove := func() *shop.ProcessProductBatchResponse {
		return ask(&shop.ProcessProductBatchRequest{Operation: &shop.ProcessProductBatchRequest_DeleteId{DeleteId: made.Id}})
	}
	equal(adjust(-4).GetProduct().GetInventory().GetAvailable(), 1)
	equal(fault(adjust(-2)), "2 FailedPrecondition ")
	equal(fault(adjust(math.MaxInt32)), "3 FailedPrecondition ")
	equal(price(12).GetProduct().GetPrice(), euro(12, 0))
	equal(fault(price(0)), "5 InvalidArgument set_price.price")
	equal(fault(ask(&shop.ProcessProductBatchRequest{})), "6 InvalidArgument operation")
	equal(remove().GetDeletedId(), made.Id)
	equal(fault(remove()), "8 NotFound ")
	equal(stream.CloseSend(), nil)
	equal(errorOf(stream.Recv()), io.EOF)
}
